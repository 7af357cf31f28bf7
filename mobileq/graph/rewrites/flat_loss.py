"""Losses over three axes and more: over one, of all places.

Each place [n, d1, d2, ...] counts by itself, so that scores [N, C, D1, D2, ...] are scores
[N, C, D1 D2 ...] (ONNX operator schemas, NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss 13).
LiteRT 2.1.2 has no tensors of seven axes, which it would take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

_KNOWN = 5
"""Axes that are written as they are."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    shape = edit.shape(node.input[0])
    if shape is None or len(shape) <= _KNOWN:
        return f"it is of {_KNOWN} axes or fewer"
    flat = [edit.constant(each, "int64") for each in ([*shape[:2], -1], [shape[0], -1])]
    scores, labels = (edit.emit("Reshape", [name, to])
                      for name, to in zip(node.input, flat, strict=False))  # fmt: skip
    given = attributes(node)
    is_whole = given.get("reduction", "mean") == "none"
    made = [edit.fresh(name) for name in node.output if name]
    edit.emit(node.op_type, [scores, labels, *node.input[2:]], made, **given)
    places = [(shape[0], *shape[2:]) if is_whole else (), shape]
    for name, found, place in zip(node.output, made, places, strict=False):
        edit.emit("Reshape", [found, edit.constant(place, "int64")], [name])
    return None


RULE = Rule(
    "flat_loss", frozenset({"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"}), _apply
)
