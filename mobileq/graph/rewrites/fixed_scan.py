"""Scan: its body, once for each slice along the scanned axis.

What a turn carries is what the next one takes; a slice loses the axis, and what a turn gives is
stacked along a new one (ONNX operator schema, Scan 9). No runtime on a phone has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.bodies import body, has_bodies, write_body
from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

_MOST_NODES = 2000
"""Of all turns together."""
_BATCHED = 8
"""The opset of another Scan, which takes several sequences."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if edit.opset <= _BATCHED:
        return "it is of an opset in which it takes several sequences"
    graph, given = body(node, "body"), attributes(node)
    scanned = given["num_scan_inputs"]
    carried, taken = list(node.input[:-scanned]), list(node.input[-scanned:])
    axes = given.get("scan_input_axes", [0] * scanned)
    shape = edit.shape(taken[0])
    if shape is None or has_bodies(graph):
        return "its count is not known, or there is an If or a Loop in it"
    count = shape[axes[0]]
    if not 0 < count * len(graph.node) <= _MOST_NODES:
        return "it has no turn, or too many"
    backwards = given.get("scan_input_directions", [0] * scanned)
    stacks: list[list[str]] = [[] for _ in node.output[len(carried) :]]
    for turn in range(count):
        slices = [
            _slice(edit, name, axis, count - 1 - turn if reverse else turn)
            for name, axis, reverse in zip(taken, axes, backwards, strict=True)
        ]
        inputs = (value.name for value in graph.input)
        results = write_body(graph, dict(zip(inputs, [*carried, *slices], strict=True)), edit)
        carried = results[: len(carried)]
        for stack, name in zip(stacks, results[len(carried) :], strict=True):
            stack.append(name)
    out_axes = given.get("scan_output_axes", [0] * len(stacks))
    reversed_ones = given.get("scan_output_directions", [0] * len(stacks))
    for name, found in zip(node.output, carried, strict=False):
        if name:
            edit.emit("Identity", [found], [name])
    for name, stack, axis, reverse in zip(
        node.output[len(carried) :], stacks, out_axes, reversed_ones, strict=True
    ):
        rows = [edit.unsqueezed(each, [axis]) for each in (stack[::-1] if reverse else stack)]
        if name:
            edit.emit("Concat", rows, [name], axis=axis)
    return None


def _slice(edit: Editing, name: str, axis: int, at: int) -> str:
    return edit.emit("Gather", [name, edit.constant(at, "int64")], axis=axis)


RULE = Rule("fixed_scan", frozenset({"Scan"}), _apply)
