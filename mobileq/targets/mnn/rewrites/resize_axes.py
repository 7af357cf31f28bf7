"""Resize of some axes: of all, the others by 1. MNN 3.6.1 takes the factors in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes, positive_axis

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given, shape = attributes(node), edit.shape(node.input[0])
    axes, roi, scales, sizes = given.get("axes"), *[*node.input, "", "", ""][1:4]
    if not axes or shape is None:
        return "it is of all axes"
    if given.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        return "its sizes are limits"
    places = [positive_axis(axis, len(shape)) for axis in axes]
    name = sizes or scales
    value = edit.value(name)
    if value is None or (roi and given.get("coordinate_transformation_mode") == _CROPS):
        return "its factors are not constant, or it crops"
    whole = np.array(shape if sizes else [1.0] * len(shape), value.dtype)
    whole[places] = value
    made = edit.copy(node, ("axes", "keep_aspect_ratio_policy"))
    made.input[2 if name == scales else 3] = edit.constant(whole)
    if roi:
        made.input[1] = ""
    return None


_CROPS = "tf_crop_and_resize"
RULE = Rule("resize_axes", frozenset({"Resize"}), _apply)
