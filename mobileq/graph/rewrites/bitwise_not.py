"""BitwiseNot: -1 - x, in an integer that holds it (ONNX operator schema, BitwiseNot 18).

In two's complement ~x is -x - 1; cut back to an unsigned type it is the largest code minus x.
LiteRT 2.1.2 aborts where onnx2tf 2.6.9 makes it a subtraction of int8 or uint8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto

_INT64 = 7
"""`TensorProto.INT64`."""
_UNSIGNED_64 = 13


def _apply(node: NodeProto, edit: Editing) -> str | None:
    (source,) = node.input
    kind = edit.elem_type(source)
    if kind in (0, _UNSIGNED_64):
        return "no wider type holds it"
    wide = edit.emit("Cast", [source], to=_INT64)
    turned = edit.emit("Sub", [edit.constant(-1, "int64"), wide])
    edit.emit("Cast", [turned], node.output, to=kind)
    return None


RULE = Rule("bitwise_not", frozenset({"BitwiseNot"}), _apply)
