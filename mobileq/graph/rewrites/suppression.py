"""NonMaxSuppression of several pictures, and of boxes that are not two corners in order.

Pictures are looked at one by one, and their rows follow each other with the picture's number in
front (ONNX operator schema, NonMaxSuppression 11). A box given as its middle with its width and
height is m - s/2 to m + s/2; one given as any two corners is that from the lesser of the
coordinates to the larger.

onnx2tf 2.6.9 takes one picture and corners; in LiteRT 2.1.2 a box whose second corner comes before
its first has no area. What a graph computes has its corners in order: only inputs are put so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    boxes, scores, *limits = node.input
    shape = edit.shape(boxes)
    if shape is None or edit.shape(scores) is None:
        return "a shape is not known"
    if attributes(node).get("center_point_box", 0):
        made = _around_middles(boxes, edit)
    elif edit.made_by(boxes) is None and edit.value(boxes) is None:
        made = _in_order(boxes, edit)
    elif shape[0] > 1:
        made = boxes
    else:
        return "it is of one picture, and of corners"
    if shape[0] == 1:
        edit.emit(node.op_type, [made, scores, *limits], node.output)
        return None
    found = []
    for at in range(shape[0]):
        taken = [edit.sliced(name, 0, at, at + 1) for name in (made, scores)]
        rows = edit.emit(node.op_type, [*taken, *limits])
        found.append(edit.emit("Add", [rows, edit.constant([at, 0, 0], "int64")]) if at else rows)
    edit.emit("Concat", found, node.output, axis=0)
    return None


def _in_order(boxes: str, edit: Editing) -> str:
    ends = [edit.sliced(boxes, 2, at, at + 2) for at in (0, 2)]
    return edit.emit("Concat", [edit.emit("Min", ends), edit.emit("Max", ends)], axis=2)


def _around_middles(boxes: str, edit: Editing) -> str:
    """From x, y, width, height to y, x, y, x."""
    x, y, width, height = (edit.sliced(boxes, 2, at, at + 1) for at in range(4))
    half = edit.constant(0.5, edit.dtype(boxes))
    halves = [edit.emit("Mul", [edit.emit("Abs", [side]), half]) for side in (height, width)]
    ends = [
        edit.emit(op_type, [middle, side])
        for op_type in ("Sub", "Add")
        for middle, side in zip((y, x), halves, strict=True)
    ]
    return edit.emit("Concat", ends, axis=2)


RULE = Rule("suppression", frozenset({"NonMaxSuppression"}), _apply)
