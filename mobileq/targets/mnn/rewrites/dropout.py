"""Dropout gives what it takes, except in training: MNN 3.6.1 gives memory that nobody wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if len(node.output) > 1 and node.output[1]:
        return "its mask is asked for"
    if len(node.input) > 2 and node.input[2]:
        training = edit.value(node.input[2])
        if training is None or training.any():
            return "it may be training"
    edit.emit("Identity", [node.input[0]], node.output[:1])
    return None


RULE = Rule("dropout", frozenset({"Dropout"}), _apply)
