"""PRelu whose slope is not one number, or one for each channel: max(x, 0) + slope * min(x, 0).

TFLite's PRELU shares the slope over the picture or has one for each value; ONNX broadcasts any
shape (ONNX operator schema, PRelu).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    source, slope = node.input
    shape, slopes = edit.shape(source), edit.shape(slope)
    if shape is None or slopes is None:
        return "a shape is not known"
    channels = shape[1] if len(shape) > 1 else 1
    along = (*(1 for _ in shape[2:]), channels)[::-1]
    if edit.value(slope) is not None and (
        math.prod(slopes) == 1 or (math.prod(slopes) == channels and slopes[: len(along)] == along)
    ):
        return "its slope is one number, or one for each channel"
    zero = edit.constant(0.0, "float32")
    above = edit.emit("Relu", [source])
    below = edit.emit("Mul", [edit.emit("Min", [source, zero]), slope])
    edit.emit("Add", [above, below], node.output)
    return None


RULE = Rule("prelu", frozenset({"PRelu"}), _apply)
