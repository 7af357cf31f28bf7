"""Max, Min, Sum and Mean of a single input, and Clip without limits: the input.

(ONNX operator schemas, variadic inputs, and Clip 13.) MNN 3.6.1 clips to limits of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if any(node.input[1:]):
        return "it has several inputs"
    if attributes(node):
        return "it has limits"
    edit.emit("Identity", node.input[:1], node.output)
    return None


RULE = Rule("one_input", frozenset({"Clip", "Max", "Min", "Sum", "Mean"}), _apply)
