"""BatchNormalization in training: by the mean and the variance of what it is given.

y = (x - m) / sqrt(v + epsilon) * scale + b over all axes but the channels'; what it carries on is
old * momentum + new * (1 - momentum) (ONNX operator schema, BatchNormalization 15).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given, shape = attributes(node), edit.shape(node.input[0])
    if not given.get("training_mode", 0):
        return "it is not in training"
    if shape is None:
        return "the shape is not known"
    x, scale, bias, *old = node.input
    dtype, axes = edit.dtype(x), [at for at in range(len(shape)) if at != 1]
    count = edit.constant(int(shape[0] * _product(shape[2:])), dtype)
    wide = edit.constant([1, -1, *[1] * (len(shape) - 2)], "int64")
    mean = edit.emit("Div", [edit.summed(x, axes), count])
    apart = edit.emit("Sub", [x, mean])
    spread = edit.emit("Div", [edit.summed(edit.emit("Mul", [apart, apart]), axes), count])
    epsilon = edit.constant(given.get("epsilon", 1e-5), dtype)
    deviation = edit.emit("Sqrt", [edit.emit("Add", [spread, epsilon])])
    scale, bias = (edit.emit("Reshape", [name, wide]) for name in (scale, bias))
    scaled = edit.emit("Mul", [edit.emit("Div", [apart, deviation]), scale])
    edit.emit("Add", [scaled, bias], node.output[:1])
    momentum = given.get("momentum", 0.9)
    for name, before, now in zip(node.output[1:], old, (mean, spread), strict=False):
        kept = edit.emit("Mul", [before, edit.constant(momentum, dtype)])
        flat = edit.emit("Reshape", [now, edit.constant([-1], "int64")])
        new = edit.emit("Mul", [flat, edit.constant(1 - momentum, dtype)])
        if name:
            edit.emit("Add", [kept, new], [name])
    return None


def _product(lengths: tuple[int, ...]) -> int:
    total = 1
    for length in lengths:
        total *= length
    return total


RULE = Rule("training_norm", frozenset({"BatchNormalization"}), _apply)
