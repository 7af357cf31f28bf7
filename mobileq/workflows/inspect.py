"""`mobileq inspect`: what a model file takes, gives and is made of."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from mobileq.spec import ModelSpec, Spec, TensorSpec
from mobileq.workflows.opening import OpenModel, Overrides, file_kind, require_settable

if TYPE_CHECKING:
    from mobileq.graph.prepare import PreparedModel


class QuantizedTensor(Spec, frozen=True, kw_only=True):
    """An activation that a file keeps in integers: real = scale * (code - zero_point).

    `min` and `max` are the real values of its lowest and highest code.
    """

    name: str
    dtype: str
    scale: float
    zero_point: int
    min: float
    max: float


class Inspection(Spec, frozen=True, kw_only=True):
    """What `inspect` prints. `inputs` and `outputs` are the file's own; `model` is how mobileq
    would feed and read it; `notices` say what is not known and why."""

    path: str
    format: str
    size_bytes: int
    opset: int | None
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: dict[str, int]
    tensor_types: dict[str, int]
    """How many tensors of each type the file holds, weights included."""
    quantized: tuple[QuantizedTensor, ...] = ()
    """Activations, in the file's order."""
    model: ModelSpec | None
    notices: tuple[str, ...] = ()


def inspect(path: Path | str, overrides: Overrides | None = None) -> Inspection:
    """Read a model file; nothing of it is run.

    Raises:
        UsageError: There is no such file, or it is of no kind that mobileq knows.
        InputError: It is damaged.
    """
    path = Path(path)
    readers = {".onnx": _onnx, ".tflite": _tflite, ".mnn": _mnn}
    overrides = overrides or Overrides()
    kind = file_kind(path)
    require_settable(path, kind, overrides)
    return readers[kind](path, overrides)


def _onnx(path: Path, overrides: Overrides) -> Inspection:
    from mobileq.graph.load import load
    from mobileq.graph.outline import all_tensors, dtype_name, op_counts
    from mobileq.graph.prepare import prepare

    model = load(path)
    prepared = prepare(
        path,
        overrides.input_shapes,
        overrides.family,
        overrides.spec_file,
        overrides.labels,
        overrides.set_inputs,
    )
    return Inspection(
        path=str(path),
        format="onnx",
        size_bytes=path.stat().st_size,
        opset=prepared.opset,
        inputs=prepared.spec.inputs,
        outputs=prepared.spec.outputs,
        ops=op_counts(model),
        tensor_types=Counter(dtype_name(tensor.data_type) for tensor in all_tensors(model)),
        model=prepared.spec,
        notices=(*prepared.notices, *_refusals(prepared)),
    )


def _refusals(prepared: PreparedModel) -> tuple[str, ...]:
    """Why a model that no family fits is none of them."""
    if prepared.spec.family is not None:
        return ()
    if len(set(prepared.reasons.values())) == 1:
        return (f"Of no family: {next(iter(prepared.reasons.values()))}.",)
    return tuple(f"Not {family}: {reason}." for family, reason in prepared.reasons.items())


def _tflite(path: Path, overrides: Overrides) -> Inspection:
    from mobileq.targets.tflite import flatbuffer
    from mobileq.targets.tflite.tensors import code_limits, file_tensors, quantized_activations
    from mobileq.workflows.opening import open_model

    graph = flatbuffer.read_model(path)
    inputs, outputs = file_tensors(graph)
    opened: OpenModel = open_model(path, None, overrides)
    return Inspection(
        path=str(path),
        format="tflite",
        size_bytes=path.stat().st_size,
        opset=None,
        inputs=inputs,
        outputs=outputs,
        ops=flatbuffer.op_counts(graph),
        tensor_types=flatbuffer.tensor_types(graph),
        quantized=tuple(
            _quantized(name, dtype, quant.scale[0], quant.zero_point[0], *code_limits(dtype))
            for name, dtype, quant in quantized_activations(graph)
        ),
        model=opened.spec,
        notices=opened.notices,
    )


def _mnn(path: Path, overrides: Overrides) -> Inspection:
    from mobileq.targets.mnn.metadata import embedded_spec
    from mobileq.targets.mnn.outline import read_outline

    outline = read_outline(path)
    spec = embedded_spec(path)
    return Inspection(
        path=str(path),
        format="mnn",
        size_bytes=path.stat().st_size,
        opset=None,
        inputs=outline.inputs,
        outputs=outline.outputs,
        ops=outline.ops,
        tensor_types=outline.weight_types,
        quantized=tuple(
            _quantized(name, "int8", *found) for name, found in outline.quantized.items()
        ),
        model=spec,
        notices=() if spec else ("This file does not say how its input is prepared.",),
    )


def _quantized(
    name: str, dtype: str, scale: float, zero_point: int, lowest: int, highest: int
) -> QuantizedTensor:
    return QuantizedTensor(
        name=name,
        dtype=dtype,
        scale=scale,
        zero_point=zero_point,
        min=scale * (lowest - zero_point),
        max=scale * (highest - zero_point),
    )
