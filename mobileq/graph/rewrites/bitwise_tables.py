"""BitwiseAnd, BitwiseOr and BitwiseXor: four bits at a time, looked up in a table.

Digit k of base 16 is (a mod 16^(k+1) - a mod 16^k) / 16^k; the last one, in two's complement, has
the sign (ONNX operator schema, BitwiseAnd 18). onnx2tf 2.6.9 has the first two for booleans only,
MNN 3.6.1 has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import NodeProto

_OPERATIONS: dict[str, Callable[..., npt.NDArray[Any]]] = {
    "BitwiseAnd": np.bitwise_and, "BitwiseOr": np.bitwise_or, "BitwiseXor": np.bitwise_xor,
}  # fmt: skip
_WIDE = {"int32": 6, "int64": 7}
"""`TensorProto.DataType`."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if node.op_type == "BitwiseXor":
        return "converters know it"
    return write(node, edit)


def write(node: NodeProto, edit: Editing) -> str | None:
    """Any of them, of a type that fits into int64."""
    dtype = edit.dtype(node.input[0])
    if dtype.kind not in "iu" or dtype == np.uint64:
        return "no wider type with a sign holds it"
    wide = "int64" if dtype in (np.int64, np.uint32) else "int32"
    digits = 2 * dtype.itemsize
    one, other = (edit.emit("Cast", [name], to=_WIDE[wide]) for name in node.input)
    nibbles = np.arange(16)
    table = _OPERATIONS[node.op_type](nibbles[:, None], nibbles).reshape(-1)
    lower, total = ["", ""], ""
    for digit in range(digits):
        is_last = digit == digits - 1
        # Of 16^digit a multiple by less than 16: exact, also where a division is one of floats.
        parts, lower = _digit(edit, (one, other), lower, digit, wide, is_last)
        shifted = edit.emit("Mul", [parts[0], edit.constant(16, wide)])
        place = edit.emit("Add", [shifted, parts[1]])
        signed = (table + 8) % 16 - 8 if is_last and dtype.kind == "i" else table
        values = edit.constant(signed.astype(wide) << (4 * digit), wide)
        found = edit.emit("Gather", [values, place], axis=0)
        total = edit.emit("Add", [total, found]) if total else found
    edit.emit("Cast", [total], node.output, to=edit.elem_type(node.input[0]))
    return None


def _digit(
    edit: Editing, names: Sequence[str], lower: Sequence[str], digit: int, wide: str, is_last: bool
) -> tuple[list[str], list[str]]:
    """(each one's digit, 0 to 15; what of it lies up to that digit)."""
    digits, upto = [], []
    for name, below in zip(names, lower, strict=True):
        if not is_last:
            low = edit.emit("Mod", [name, edit.constant(16 ** (digit + 1), wide)])
            upto.append(low)
        else:
            low = name
        part = edit.emit("Sub", [low, below]) if below else low
        if digit:
            part = edit.emit("Div", [part, edit.constant(16**digit, wide)])
        digits.append(edit.emit("Mod", [part, edit.constant(16, wide)]) if is_last else part)
    return digits, upto


RULE = Rule("bitwise_tables", frozenset(_OPERATIONS), _apply)
