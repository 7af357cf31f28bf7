"""Operators that the ONNX standard defines by others become these.

`onnx.inliner` writes the body from the operator's schema, also one that depends on attributes and
on the inputs' types (ONNX operator schemas, "Function Body").
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from mobileq.graph.shapes import infer_shapes

if TYPE_CHECKING:
    from onnx import ModelProto

OPS = (
    "Attention",
    "CastLike",
    "CenterCropPad",
    "GroupNormalization",
    "RMSNormalization",
    "RotaryEmbedding",
    "Swish",
)
"""Newer than the converters: onnx2tf 2.6.9 and MNN 3.6.1 don't know them, or only forms of other
programs under the same name. GroupNormalization onnx2tf knows, but not behind every shape."""


def inline_bodies(model: ModelProto, ops: Collection[str] = OPS) -> ModelProto:
    """A copy in which `ops` are written out; the model itself where it has none."""
    if not any(node.op_type in ops and not node.domain for node in model.graph.node):
        return model
    from onnx import inliner

    names = [("", op) for op in ops]
    typed = _with_typed_constants(model)
    inlined = inliner.inline_selected_functions(typed, names, inline_schema_functions=True)
    return infer_shapes(inlined)


def _with_typed_constants(model: ModelProto) -> ModelProto:
    """onnx 1.20.1's inliner knows the types of inputs and of value_info, not of initializers."""
    import onnx
    from onnx import helper

    typed = onnx.ModelProto()
    typed.CopyFrom(model)
    known = {value.name for value in (*typed.graph.value_info, *typed.graph.input)}
    typed.graph.value_info.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in typed.graph.initializer
        if tensor.name not in known
    )
    return typed
