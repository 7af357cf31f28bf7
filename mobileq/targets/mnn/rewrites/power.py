"""Pow of floats by whole numbers: by the same ones as floats; MNN 3.6.1 gives nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    base, exponent = node.input
    if edit.dtype(base).kind != "f" or edit.dtype(exponent).kind == "f":
        return "both are of floats, or of whole numbers"
    same = edit.emit("Cast", [exponent], to=edit.elem_type(base))
    edit.emit("Pow", [base, same], node.output)
    return None


RULE = Rule("power", frozenset({"Pow"}), _apply)
