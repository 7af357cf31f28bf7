"""Split into a number of parts: the sizes are named.

Every part has ceil(n / parts) values, the last one what is left (ONNX operator schema, Split 18).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given = attributes(node)
    shape = edit.shape(node.input[0])
    if "split" in given or len(node.input) > 1:
        return "its sizes are named"
    if shape is None:
        return "the shape is not known"
    axis, parts = given.get("axis", 0), len(node.output)
    length = shape[axis]
    if length % parts == 0:
        return "its parts are equal"
    size = math.ceil(length / parts)
    sizes = [*[size] * (parts - 1), length - size * (parts - 1)]
    edit.emit("Split", [node.input[0], edit.constant(sizes, "int64")], node.output, axis=axis)
    return None


RULE = Rule("split_sizes", frozenset({"Split"}), _apply)
