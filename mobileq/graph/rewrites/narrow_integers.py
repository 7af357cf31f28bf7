"""Arithmetic of narrow or unsigned integers: in wider ones, cut back.

Sums, products, comparisons of int8 to uint32 are exact in int32 or int64, and a cast to the narrow
type keeps the low bits, as the operator's wrap-around does. TFLite computes int8 and uint8 only
with scales (LiteRT 2.1.2 aborts without), and uint16 and uint32 hardly at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

_INT32, _INT64 = 6, 7
"""`TensorProto.DataType`."""
_WIDER = {"int8": _INT32, "uint8": _INT32, "int16": _INT32, "uint16": _INT32, "uint32": _INT64}
_COMPARISONS = frozenset({"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"})
_ARITHMETIC = frozenset({"Abs", "Add", "Clip", "Div", "Max", "Mean", "Min", "Mod", "Mul", "Neg"})
_MORE = frozenset({"Relu", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceProd", "Sign", "Sub"})


def _apply(node: NodeProto, edit: Editing) -> str | None:
    first = next(name for name in node.input if name)
    kind = edit.dtype(first).name
    wide = _WIDER.get(kind)
    if wide is None:
        return f"it is of {kind}, which runtimes compute"
    counted = 1 if node.op_type.startswith("Reduce") else len(node.input)
    inputs = [
        edit.emit("Cast", [name], to=wide) if name and at < counted else name
        for at, name in enumerate(node.input)
    ]
    given = attributes(node)
    if node.op_type in _COMPARISONS:
        edit.emit(node.op_type, inputs, node.output, **given)
        return None
    result = edit.emit(node.op_type, inputs, **given)
    edit.emit("Cast", [result], node.output, to=edit.elem_type(first))
    return None


RULE = Rule("narrow_integers", _COMPARISONS | _ARITHMETIC | _MORE, _apply)
