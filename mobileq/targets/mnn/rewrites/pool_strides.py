"""The strides of a pooling are 1 where they are left out; MNN 3.6.1 divides by 0 there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given = attributes(node)
    if given.get("strides"):
        return "it has strides"
    edit.copy(node, strides=[1] * len(given["kernel_shape"]))
    return None


RULE = Rule("pool_strides", frozenset({"AveragePool", "LpPool", "MaxPool"}), _apply)
