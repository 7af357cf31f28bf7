"""Codes that are of no pair: what their scales say, as arithmetic.

DequantizeLinear is (x - zero) * scale, QuantizeLinear clip(round(x / scale) + zero) with halves to
even, each number, row along an axis, or block of rows with a scale of its own (ONNX operator
schemas, DequantizeLinear and QuantizeLinear 21). Of a pair in the graph one may be dropped with the
other; at its ends there is no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mobileq.graph.outline import constants, graph_inputs
from mobileq.graph.rewrites.rule import Editing, Rule, attributes, positive_axis
from mobileq.spec import TensorRange

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto, NodeProto

_UINT8, _INT32 = 2, 6
"""`TensorProto.DataType`."""
_OPS = frozenset({"DequantizeLinear", "QuantizeLinear"})
_INTEGERS = frozenset({"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"})


def write_integers(model: ModelProto) -> ModelProto:
    """A copy in which codes that are of no pair are worked out; the model itself where there are
    none: those of its ends, in the types that they have, and what operators on integers give.
    Where these stand for numbers that the model has as well, the numbers are taken.

    ONNX Runtime 1.26 is no reference for the latter: on a CPU without VNNI its products of uint8
    and int8 end at 16 bits.
    """
    inputs = {value.name for value in graph_inputs(model)}
    outputs = {value.name for value in model.graph.output}
    ends = {
        node.output[0]
        for node in model.graph.node
        if (node.op_type == "DequantizeLinear" and node.input[0] in inputs)
        or (node.op_type == "QuantizeLinear" and node.output[0] in outputs)
    }
    if not ends and not any(node.op_type in _INTEGERS for node in model.graph.node):
        return model
    from mobileq.graph.dynamic_scales import float_inside
    from mobileq.graph.rewrites import dynamic_codes, integer_products
    from mobileq.graph.rewrites.engine import apply_rules
    from mobileq.graph.shapes import infer_shapes

    def apply(node: NodeProto, edit: Editing) -> str | None:
        return _written(node, edit) if node.output[0] in ends else "it is of a pair"

    written = Rule("integer_ends", _OPS, apply)
    rules = [written, float_inside(model), dynamic_codes.RULE, integer_products.RULE]
    return apply_rules(infer_shapes(model), rules)


def end_ranges(model: ModelProto) -> dict[str, TensorRange]:
    """{what DequantizeLinear makes of an input of 8 bits with one scale: the numbers that its
    smallest and largest code stand for}, which `write_integers` keeps the name of."""
    import numpy as np

    values = constants(model.graph)
    inputs = {value.name for value in graph_inputs(model)}
    found = {}
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in inputs:
            continue
        scale, zero = (values.get(name) for name in [*node.input, "", ""][1:3])
        if scale is not None and scale.size == 1 and zero is not None and zero.dtype.itemsize == 1:
            low, high = (int(each) - int(zero) for each in _limits_of(zero.dtype))
            step = float(np.asarray(scale).item())
            found[node.output[0]] = TensorRange(min=low * step, max=high * step)
    return found


def _written(node: NodeProto, edit: Editing) -> str | None:
    x, scale, zero = [*node.input, ""][:3]
    is_given = node.op_type == "DequantizeLinear"
    spread = edit.shape(scale)
    if spread is None or edit.shape(x) is None or edit.dtype(scale) != "float32":
        return "a shape is not known, or its scales are not of float32"
    kind = edit.elem_type(zero) if zero else attributes(node).get("output_dtype", 0) or _UINT8
    limits = None if is_given else _limits(kind)
    if limits is None and not is_given:
        return "its codes are not whole numbers of 8 or 16 bits"
    steps = _spread(node, edit, scale, spread)
    offset = ""
    if zero and not _is_zero(edit, zero):
        offset = _spread(node, edit, edit.emit("Cast", [zero], to=1), spread)
    if is_given:
        value = edit.emit("Cast", [x], to=1)
        value = edit.emit("Sub", [value, offset]) if offset else value
        edit.emit("Mul", [value, steps], node.output)
        return None
    value = edit.emit("Round", [edit.emit("Div", [x, steps])])
    value = edit.emit("Add", [value, offset]) if offset else value
    low, high = (edit.constant(float(each), "float32") for each in limits or ())
    value = edit.emit("Cast", [edit.emit("Clip", [value, low, high])], to=_INT32)
    edit.emit("Cast", [value], node.output, to=kind)
    return None


def _spread(node: NodeProto, edit: Editing, name: str, shape: tuple[int, ...]) -> str:
    """Scales, or zero-points, as the tensor has its axes."""
    whole = edit.shape(node.input[0]) or ()
    if not shape or shape == (1,):
        return edit.emit("Reshape", [name, edit.constant([], "int64")]) if shape else name
    given = attributes(node)
    axis, block = positive_axis(given.get("axis", 1), len(whole)), given.get("block_size", 0)
    if len(shape) == 1 and not block:
        along = [1] * len(whole)
        along[axis] = shape[0]
        return edit.emit("Reshape", [name, edit.constant(along, "int64")])
    rows = edit.constant([at // block for at in range(whole[axis])], "int64")
    return edit.emit("Gather", [name, rows], axis=axis)


def _is_zero(edit: Editing, name: str) -> bool:
    value = edit.value(name)
    return value is not None and not value.any()


def _limits(kind: int) -> tuple[int, int] | None:
    from onnx import helper

    dtype: np.dtype[Any] = helper.tensor_dtype_to_np_dtype(kind)
    if dtype.kind not in "iu" or dtype.itemsize > 2 or dtype.name not in _KNOWN:
        return None
    return _limits_of(dtype)


def _limits_of(dtype: np.dtype[Any]) -> tuple[int, int]:
    import numpy as np

    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


_KNOWN = ("int8", "uint8", "int16", "uint16")
