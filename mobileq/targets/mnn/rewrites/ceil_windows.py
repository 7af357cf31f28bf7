"""Poolings with ceil_mode: the pads that give as many windows without it.

A window that would begin behind what is padded is left out (ONNX operator schema, MaxPool 22);
MNN 3.6.1 counts it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes
from mobileq.graph.rewrites.windows import windows_of

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given, windows = attributes(node), windows_of(node, edit)
    if isinstance(windows, str):
        return windows
    if not given.get("ceil_mode", 0):
        return "it leaves what fills no window"
    spans = [(k - 1) * d + 1 for k, d in zip(windows.kernel, windows.dilations, strict=True)]
    before, lengths = windows.before, windows.lengths
    plain = [
        -(-(n + b + a - span) // stride) + 1
        for n, b, a, span, stride in zip(
            lengths, before, windows.after, spans, windows.strides, strict=True
        )
    ]
    if plain == list(windows.counts):
        return "MNN counts the same"
    after = [
        (count - 1) * stride + span - n - b
        for count, stride, span, n, b in zip(
            windows.counts, windows.strides, spans, lengths, before, strict=True
        )
    ]
    value = node.input[0]
    for at, beyond in enumerate(after):
        if beyond < 0:
            value = edit.sliced(value, 2 + at, 0, lengths[at] + beyond)
    made = edit.copy(node, ("ceil_mode",), pads=[*before, *(max(each, 0) for each in after)])
    made.input[0] = value
    return None


RULE = Rule("ceil_windows", frozenset({"AveragePool", "MaxPool"}), _apply)
