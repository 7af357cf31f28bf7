"""Dilated Conv over three axes: not dilated, by weights with zeros in between.

MNN 3.6.1 takes no notice of the dilations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    dilations, weights = attributes(node).get("dilations", [1]), edit.value(node.input[1])
    if edit.rank(node.input[0]) != 5 or set(dilations) == {1}:
        return "it is not dilated, or over fewer axes"
    if weights is None:
        return "its weights are not constant"
    kernel = [(n - 1) * d + 1 for n, d in zip(weights.shape[2:], dilations, strict=True)]
    wide = np.zeros((*weights.shape[:2], *kernel), weights.dtype)
    wide[:, :, :: dilations[0], :: dilations[1], :: dilations[2]] = weights
    made = edit.copy(node, ("dilations",), kernel_shape=kernel)
    made.input[1] = edit.constant(wide, hint="weights")
    return None


RULE = Rule("dilated_conv3d", frozenset({"Conv"}), _apply)
