"""Products of codes: of floats, which hold them exactly.

ConvInteger and MatMulInteger are the convolution and the product of a - a_zero and b - b_zero, in
32-bit integers (ONNX operator schemas 10); what a convolution pads with is a_zero, whose difference
is 0. float32 holds every whole number up to 2^24, so that 258 products of 8 bits add up exactly;
sums of more are off by less than one in 2^24.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

PRODUCTS = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}
_FLOAT, _INT32 = 1, 6
"""`TensorProto.DataType`."""


def factors(node: NodeProto, edit: Editing, numbers: Mapping[str, str]) -> list[str] | None:
    """What is multiplied, in float; None, and nothing emitted, where a shape is not known.

    Args:
        numbers: {codes: the float tensor to take in their place}.
    """
    a, b, a_zero, b_zero = [*node.input, "", ""][:4]
    shapes = {zero: edit.shape(zero) for zero in (a_zero, b_zero) if zero}
    rank = edit.rank(b)
    if None in shapes.values() or rank is None:
        return None
    # A list of zero-points is one for each row of a, each column of b, or each filter.
    filters = [-1, *[1] * (rank - 1)] if node.op_type == "ConvInteger" else [-1]
    return [
        numbers.get(name) or _centred(edit, name, zero, spread, shapes.get(zero) or ())
        for name, zero, spread in ((a, a_zero, [-1, 1]), (b, b_zero, filters))
    ]


def _centred(edit: Editing, name: str, zero: str, spread: list[int], shape: tuple[int, ...]) -> str:
    value = edit.emit("Cast", [name], to=_FLOAT)
    if not zero:
        return value
    offset = edit.emit("Cast", [zero], to=_FLOAT)
    if len(shape) == 1 and shape != (1,):
        offset = edit.emit("Reshape", [offset, edit.constant(spread, "int64")])
    return edit.emit("Sub", [value, offset])


def _apply(node: NodeProto, edit: Editing) -> str | None:
    values = factors(node, edit, {})
    if values is None:
        return "a shape is not known"
    product = edit.emit(PRODUCTS[node.op_type], values, **attributes(node))
    edit.emit("Cast", [product], node.output, to=_INT32)
    return None


RULE = Rule("integer_products", frozenset(PRODUCTS), _apply)
