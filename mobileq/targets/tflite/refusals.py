"""Why onnx2tf's direct backend can't translate a node, in a person's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mobileq.errors import UnsupportedOperatorError
from mobileq.graph.op_facts import REARRANGING

if TYPE_CHECKING:
    from onnx import ModelProto

_VALIDATION = re.compile(
    r"op=(?P<op>\w+) node=(?P<node>.*?) reason_code=\w+ message=(?P<why>.*)", re.S
)
_NAMED = re.compile(r"^(?P<why>.*?)[. ]+op=(?P<node>\S+)", re.S)
"""Its validation names operator and node; what translates a node names the node only."""
_CANDIDATE = "custom-op candidate"
"""Said of operators for which it has a translation that does not fit; the true reason is older."""
_LONGEST = 240
_HINT = "Export the model without it, or cut the graph before it."
_UINT64 = 13
"""`TensorProto.DataType`."""


def refuse_known(model: ModelProto) -> None:
    """Raise UnsupportedOperatorError for what onnx2tf 2.6.9 writes and LiteRT 2.1.2 does not run:
    anything computed of uint64."""
    from mobileq.graph.outline import node_label

    graph = model.graph
    types = {each.name: each.type.tensor_type.elem_type
             for each in (*graph.value_info, *graph.input, *graph.output)}  # fmt: skip
    types |= {each.name: each.data_type for each in graph.initializer}
    for node in graph.node:
        if node.op_type not in REARRANGING and any(types.get(n) == _UINT64 for n in node.input):
            raise UnsupportedOperatorError(
                f"TFLite computes nothing of uint64, as {node.op_type} ({node_label(node)}) does.",
                "Export the model with int64 or int32 in its place.",
            )


@contextmanager
def reasons_told(model: str) -> Iterator[None]:
    """onnx2tf's own reason goes on as an error, in place of a file that can't run.

    onnx2tf 2.6.9 tries a model that it refuses once more, writes what it can't translate as a
    custom op (ONNX_DET), and calls it done.

    Args:
        model: The path of the ONNX file.

    Raises:
        UnsupportedOperatorError: A node has no translation.
    """
    from onnx2tf import tflite_builder

    export = tflite_builder.export_tflite_model_flatbuffer_direct
    refusals: list[Exception] = []

    def first_try(**options: Any) -> Any:
        if options["flatbuffer_direct_allow_custom_ops"] and refusals:
            raise refusals[-1]
        try:
            return export(**options)
        except Exception as error:
            refusals.append(error)
            raise

    tflite_builder.export_tflite_model_flatbuffer_direct = first_try
    try:
        yield
    except (Exception, SystemExit) as error:
        _tell(refusals[-1] if refusals else error, model)
        raise
    finally:
        tflite_builder.export_tflite_model_flatbuffer_direct = export


def _tell(error: BaseException, model: str) -> None:
    found = _VALIDATION.search(str(error)) or _NAMED.search(str(error))
    if found is None or not isinstance(error, NotImplementedError | ValueError):
        return None
    parts = found.groupdict()
    if _CANDIDATE in parts["why"] and error.__cause__ and error.__cause__.__context__:
        parts["why"] = getattr(error.__cause__.__context__, "message", parts["why"])
    if _CANDIDATE in parts["why"]:
        parts["why"] = "it would be a custom op, which no interpreter knows"
    op = parts.get("op") or _op_type(model, parts["node"])
    why = " ".join(parts["why"].split()).replace(" in flatbuffer_direct", "")
    why = re.sub(r"\s*\bop=\S+", "", why).rstrip(". ")[:_LONGEST]
    raise UnsupportedOperatorError(
        f"onnx2tf has no TFLite translation of {op} (node {parts['node']!r}): {why}.", _HINT
    ) from error


def _op_type(model: str, name: str) -> str:
    import onnx

    nodes = onnx.load(model, load_external_data=False).graph.node
    return next((node.op_type for node in nodes if node.name == name), "an operator")
