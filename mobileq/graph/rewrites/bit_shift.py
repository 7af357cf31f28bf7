"""BitShift: a product with a power of two, or a division by it.

x << n is x * 2^n cut back to the type, x >> n is x / 2^n, and both are 0 from the type's width on
(ONNX operator schema, BitShift 11). onnx2tf 2.6.9 shifts to the left by constants only, MNN 3.6.1
reads memory that nobody wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

_INT64 = 7
"""`TensorProto.INT64`."""
_COUNTS = 256
"""By how much a byte can tell to shift."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    return write(node, edit) if attributes(node)["direction"] == "LEFT" else "converters know it"


def write(node: NodeProto, edit: Editing) -> str | None:
    """To either side."""
    kind = edit.dtype(node.input[0])
    if kind.kind != "u" or kind.itemsize > 4:
        return "no wider type holds it"
    bits = 8 * kind.itemsize
    value, count = (edit.emit("Cast", [name], to=_INT64) for name in node.input)
    is_left = attributes(node)["direction"] == "LEFT"
    # A division by 2^bits is 0, and a product with it once it is cut back.
    powers = edit.constant([2 ** min(at, bits) for at in range(_COUNTS)], "int64")
    power = edit.emit("Gather", [powers, count], axis=0)
    if is_left and kind != np.uint32:
        limit = edit.constant(2**bits, "int64")
        value = edit.emit("Mod", [edit.emit("Mul", [value, power]), limit])
    else:
        value = edit.emit("Mul" if is_left else "Div", [value, power])
    edit.emit("Cast", [value], node.output, to=edit.elem_type(node.input[0]))
    return None


RULE = Rule("bit_shift", frozenset({"BitShift"}), _apply)
