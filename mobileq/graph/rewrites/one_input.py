"""Max, Min, Sum and Mean of a single input: the input (ONNX operator schemas, variadic)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if len(node.input) != 1:
        return "it has several inputs"
    edit.emit("Identity", node.input, node.output)
    return None


RULE = Rule("one_input", frozenset({"Max", "Min", "Sum", "Mean"}), _apply)
