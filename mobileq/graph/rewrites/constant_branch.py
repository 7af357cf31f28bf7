"""If with a constant condition: the branch that is taken (ONNX operator schema, If)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.bodies import body, has_bodies, write_body
from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    condition = edit.value(node.input[0])
    if condition is None:
        return "its condition is known only when it runs"
    branch = body(node, "then_branch" if condition.reshape(-1)[0] else "else_branch")
    if has_bodies(branch):
        return "there is another If or Loop in it"
    for found, name in zip(write_body(branch, {}, edit), node.output, strict=True):
        edit.emit("Identity", [found], [name])
    return None


RULE = Rule("constant_branch", frozenset({"If"}), _apply)
