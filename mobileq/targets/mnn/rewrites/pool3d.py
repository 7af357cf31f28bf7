"""Poolings over three axes: over the last two, then over the first.

The largest value is the largest of the largest ones; so it is with the mean, of which each factor
counts its own windows. [N, C, D, H, W] is [N, C D, H, W], then [N, C, D, H W]. MNN 3.6.1 crashes,
or gives other numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mobileq.graph.rewrites.rule import Editing, Rule, attributes
from mobileq.graph.rewrites.windows import windows_of

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    windows, shape, given = windows_of(node, edit), edit.shape(node.input[0]), attributes(node)
    if shape is None or len(shape) != 5 or isinstance(windows, str):
        return "it is not over three axes of known length"
    if len(node.output) > 1 and node.output[1]:
        return "it gives indices too"
    if set(windows.dilations) != {1}:
        return "it is dilated"
    if given.get("ceil_mode", 0) and given.get("count_include_pad", 0):
        return "what it counts depends on where it ends"
    batch, channels, depth, height, width = shape
    down, *flat = windows.counts
    counted = ("count_include_pad",) if node.op_type == "AveragePool" else ()
    more: dict[str, Any] = {name: given.get(name, 0) for name in counted}
    value = _shaped(edit, node.input[0], [batch, channels * depth, height, width])
    needed = [
        (count - 1) * stride + kernel - length - before
        for count, stride, kernel, length, before in zip(
            windows.counts, windows.strides, windows.kernel, windows.lengths, windows.before,
            strict=True,
        )
    ]  # fmt: skip
    after = [max(each, 0) for each in needed]
    value = edit.emit(
        node.op_type, [value], kernel_shape=windows.kernel[1:], strides=windows.strides[1:],
        pads=[*windows.before[1:], *after[1:]], **more,
    )  # fmt: skip
    value = _shaped(edit, value, [batch, channels, depth, flat[0] * flat[1]])
    value = edit.emit(
        node.op_type, [value], kernel_shape=[windows.kernel[0], 1],
        strides=[windows.strides[0], 1], pads=[windows.before[0], 0, after[0], 0], **more,
    )  # fmt: skip
    edit.emit("Reshape", [value, edit.constant([batch, channels, down, *flat], "int64")],
              node.output)  # fmt: skip
    return None


def _shaped(edit: Editing, name: str, shape: list[int]) -> str:
    return edit.emit("Reshape", [name, edit.constant(shape, "int64")])


RULE = Rule("pool3d", frozenset({"AveragePool", "MaxPool"}), _apply)
