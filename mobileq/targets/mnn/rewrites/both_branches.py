"""If whose branches give tensors of the same shapes: both, and of each output one by Where.

A branch has no effect but what it gives (ONNX operator schema, If), so that to compute both costs
time and nothing else. MNN 3.6.1 has branches in its Module interface only, not in sessions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.outline import DYNAMIC, constants, dims
from mobileq.graph.rewrites.bodies import body, has_bodies, write_body
from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    branches = [body(node, name) for name in ("then_branch", "else_branch")]
    if any(has_bodies(branch) for branch in branches):
        return "there is another If or Loop in a branch"
    shapes = [_shapes(branch) for branch in branches]
    if shapes[0] != shapes[1] or not all(
        shape is not None and DYNAMIC not in shape for shape in shapes[0]
    ):
        return "the branches give other shapes, or their shapes are not known"
    pairs = zip(*(write_body(branch, {}, edit) for branch in branches), strict=True)
    for pair, name in zip(pairs, node.output, strict=True):
        edit.emit("Where", [node.input[0], *pair], [name])
    return None


def _shapes(branch: GraphProto) -> list[tuple[int, ...] | None]:
    known = constants(branch)
    return [
        known[value.name].shape if value.name in known else dims(value) for value in branch.output
    ]


RULE = Rule("both_branches", frozenset({"If"}), _apply)
