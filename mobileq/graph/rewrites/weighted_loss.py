"""A weighted mean of losses, as a sum over a sum.

The mean is the sum of the losses over the sum of the weights of the labels (ONNX operator schema,
NegativeLogLikelihoodLoss 13), and this sum is itself such a loss, of scores that all are -1. A
cross entropy is the loss of the scores' LogSoftmax, which is its second output.

onnx2tf 2.6.9 divides only where the weights' sum is above 0, and gives 0 elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

_LOSS, _CROSS_ENTROPY = "NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"


def _apply(node: NodeProto, edit: Editing) -> str | None:
    import numpy as np

    given, shape = attributes(node), edit.shape(node.input[0])
    if len(node.input) < 3 or not node.input[2] or given.get("reduction", "mean") != "mean":
        return "it is no weighted mean"
    if shape is None:
        return "the scores' shape is not known"
    scores, labels, weights = node.input
    if node.op_type == _CROSS_ENTROPY:
        named = list(node.output[1:])
        if edit.opset < 13:
            return "LogSoftmax is not along one axis before opset 13"
        scores = edit.emit("LogSoftmax", [scores], named if any(named) else None, axis=1)
    ones = edit.constant(np.full(shape, -1, edit.dtype(node.input[0])))
    total, weight = (
        edit.emit(_LOSS, [each, labels, weights], **{**given, "reduction": "sum"})
        for each in (scores, ones)
    )
    edit.emit("Div", [total, weight], node.output[:1])
    return None


RULE = Rule("weighted_loss", frozenset({_LOSS, _CROSS_ENTROPY}), _apply)
