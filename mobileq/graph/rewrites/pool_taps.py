"""Dilated poolings and LpPool: the maximum, or the sum, of shifted slices.

A window's maximum over several axes is the maximum along one after the other, and so is its sum:
for each axis the taps x[t * dilation :: stride] are taken together. The border is padded with what
changes nothing: the lowest number, or 0. An average divides by how many values its window holds
(ONNX operator schemas, MaxPool 12, AveragePool 19, LpPool 18: (sum |x|^p)^(1/p)).
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes
from mobileq.graph.rewrites.windows import Windows, windows_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import NodeProto

    Array = npt.NDArray[Any]

_LOWEST = float(np.finfo(np.float32).min)
_MOST_TAPS = 256
"""Along one axis; beyond, the graph would be longer than it is worth."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    windows = windows_of(node, edit)
    if isinstance(windows, str):
        return windows
    if node.op_type != "LpPool" and set(windows.dilations) <= {1}:
        return "it is not dilated"
    if len(node.output) > 1 and node.output[1]:
        return "it gives indices too"
    if edit.dtype(node.input[0]) != np.float32:
        return "it is not of float32"
    if max(windows.kernel) > _MOST_TAPS:
        return f"its window has more than {_MOST_TAPS} values along an axis"
    if node.op_type == "MaxPool":
        edit.emit("Identity", [_gathered(edit, node.input[0], windows, "Max")], node.output)
    elif node.op_type == "AveragePool":
        total = _gathered(edit, node.input[0], windows, "Add")
        include = bool(attributes(node).get("count_include_pad", 0))
        share = edit.constant(1.0 / _held(windows, include), "float32")
        edit.emit("Mul", [total, share], node.output)
    else:
        _lp(node, edit, windows)
    return None


def _lp(node: NodeProto, edit: Editing, windows: Windows) -> None:
    p = attributes(node).get("p", 2)
    power = edit.emit("Abs", [node.input[0]])
    if p == 1:
        edit.emit("Identity", [_gathered(edit, power, windows, "Add")], node.output)
        return
    exponent = edit.constant(float(p), "float32")
    power = edit.emit("Mul", [power, power]) if p == 2 else edit.emit("Pow", [power, exponent])
    total = _gathered(edit, power, windows, "Add")
    if p == 2:
        edit.emit("Sqrt", [total], node.output)
    else:
        edit.emit("Pow", [total, edit.constant(1.0 / p, "float32")], node.output)


def _gathered(edit: Editing, source: str, windows: Windows, combine: str) -> str:
    """All taps of every window taken together, axis by axis."""
    rank, value = len(windows.lengths) + 2, source
    for at, kernel in enumerate(windows.kernel):
        stride, dilation = windows.strides[at], windows.dilations[at]
        reach = (windows.counts[at] - 1) * stride + 1
        needed = reach + (kernel - 1) * dilation
        pads = [0] * 2 * rank
        pads[2 + at] = windows.before[at]
        pads[rank + 2 + at] = max(needed - windows.lengths[at] - windows.before[at], 0)
        if any(pads):
            border = _LOWEST if combine == "Max" else 0.0
            inputs = [value, edit.constant(pads, "int64"), edit.constant(border, "float32")]
            value = edit.emit("Pad", inputs)
        taps = [
            edit.sliced(value, 2 + at, tap * dilation, tap * dilation + reach, stride)
            for tap in range(kernel)
        ]
        value = reduce(lambda one, other: edit.emit(combine, [one, other]), taps)
    return value


def _held(windows: Windows, include_pads: bool) -> Array:
    """How many values each window holds, [1, 1, *counts]."""
    axes = []
    for at, length in enumerate(windows.lengths):
        starts = np.arange(windows.counts[at]) * windows.strides[at] - windows.before[at]
        taps = starts[:, None] + np.arange(windows.kernel[at]) * windows.dilations[at]
        low = -windows.before[at] if include_pads else 0
        high = length + (windows.after[at] if include_pads else 0)
        axes.append(((taps >= low) & (taps < high)).sum(axis=1))
    held: Array = reduce(np.multiply.outer, axes)
    return held[None, None]


RULE = Rule("pool_taps", frozenset({"MaxPool", "AveragePool", "LpPool"}), _apply)
