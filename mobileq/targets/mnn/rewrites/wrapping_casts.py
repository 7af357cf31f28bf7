"""Cast of whole numbers to fewer bits: what is left of them modulo 2^bits, counted from the least.

A cast keeps the low bits (ONNX operator schema, Cast 19); MNN 3.6.1 keeps numbers of 8 and 16 bits
in wider ones, as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

_HINT = "wrapped"
_MADE = f"rewritten/{_HINT}"
_KINDS = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16"}
"""`TensorProto.DataType` -> numpy's name."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    (source,), to = node.input, attributes(node)["to"]
    kind = edit.dtype(source)
    if to not in _KINDS or kind.kind not in "iu" or not edit.elem_type(source):
        return "it is not of whole numbers, or of many bits"
    least, most = np.iinfo(_KINDS[to]).min, np.iinfo(_KINDS[to]).max
    if source.startswith(_MADE) or (least <= np.iinfo(kind).min and np.iinfo(kind).max <= most):
        return "it holds them all"
    count, start = edit.constant(most - least + 1, kind), edit.constant(least, kind)
    value = edit.emit("Sub", [source, start]) if least else source
    value = edit.emit("Mod", [value, count], hint="" if least else _HINT)
    if least:
        value = edit.emit("Add", [value, start], hint=_HINT)
    edit.emit("Cast", [value], node.output, to=to)
    return None


RULE = Rule("wrapping_casts", frozenset({"Cast"}), _apply)
