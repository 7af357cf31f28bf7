"""onnx2tf's direct backend in less memory, and in less time: only what is used of it is made.

onnx2tf 2.6.9 takes 9 times a large model: it infers shapes with all weights (twice, and each time
through two more copies and two byte strings), isolates the float32 graph from the float16 one that
it makes next, and builds the file in a buffer that doubles. A quarter of a small model's time goes
into compiling the file's schema from source, in each conversion's folder.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ROOM = 1.05
"""A flatbuffer is its constants and a little; the builder doubles where it runs out."""
_ROOM_BYTES = 1 << 20


class _Float32Written(BaseException):
    """What is wanted is there. Not an Exception: onnx2tf would take it for a failure."""


@contextmanager
def only_float32() -> Iterator[None]:
    """Within, onnx2tf's direct backend writes the float32 file, and ends there."""
    import onnx
    from onnx2tf import tflite_builder

    _settle()

    def write(schema_tflite: Any, model_ir: Any, output_tflite_path: str, timing: Any) -> None:
        _write(schema_tflite, model_ir, Path(output_tflite_path))
        raise _Float32Written

    replaced: tuple[tuple[Any, str, Any], ...] = (
        (onnx.shape_inference, "infer_shapes", _weightless(onnx.shape_inference.infer_shapes)),
        (
            tflite_builder,
            "isolate_float32_model_ir_for_tflite_write",
            lambda graph, **options: graph,
        ),
        (tflite_builder, "load_schema_module", lambda folder: vars(_schema())),
        (tflite_builder, "write_model_file", write),
    )
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in replaced]
    try:
        for owner, name, function in replaced:
            setattr(owner, name, function)
        yield
    except _Float32Written:
        pass
    finally:
        for owner, name, function in originals:
            setattr(owner, name, function)


@functools.cache
def _settle() -> None:
    """What is imported stays. A conversion collects garbage twice, and looked through all of that
    each time, for half of a small model's time.
    """
    gc.collect()
    gc.freeze()


def _schema() -> Any:
    """The module that onnx2tf copies and runs: imported, it is compiled once and for all."""
    from onnx2tf.tflite_builder.schema import schema_generated

    return schema_generated


def _weightless(infer_shapes: Any) -> Any:
    from mobileq.graph.shapes import without_weights

    def inferred(model: Any, *arguments: Any, **options: Any) -> Any:
        """The model itself: nobody looks at how it was before."""
        found = infer_shapes(without_weights(model), *arguments, **options).graph
        for ours, theirs in (
            (model.graph.value_info, found.value_info),
            (model.graph.output, found.output),
            (model.graph.node, found.node),  # whose bodies have shapes too
        ):
            del ours[:]
            ours.extend(theirs)
        return model

    return inferred


def _write(schema: Any, graph: Any, path: Path) -> None:
    """As onnx2tf's `write_model_file`, byte for byte, with the weights in memory once."""
    import flatbuffers
    from onnx2tf.tflite_builder import model_writer

    gc.collect()  # the graph before its last rewrites is part of a cycle
    graph = model_writer._sanitize_model_ir_for_serialization(graph)
    tables = model_writer._build_serialization_tables(
        schema_tflite=schema, model_ir=graph, with_signature_defs=True
    )
    for each in (graph, *graph.subgraphs):
        for tensor in each.tensors.values():
            tensor.data = None  # the tables have them as bytes
    constants = sum(len(buffer.data) for buffer in tables["buffers"] if buffer.data is not None)
    builder = flatbuffers.Builder(int(constants * _ROOM) + _ROOM_BYTES)
    root = model_writer._pack_model(
        schema_tflite=schema,
        builder=builder,
        model_description=graph.description,
        **{
            name: tables[name]
            for name in ("operator_codes", "subgraphs", "buffers", "signature_defs", "metadata")
        },
    )
    builder.Finish(root, file_identifier=b"TFL3")
    with path.open("wb") as file:  # `Output` would copy it
        file.write(memoryview(builder.Bytes)[builder.Head() :])
