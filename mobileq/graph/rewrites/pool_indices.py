"""MaxPool with indices: the first tap of each window that is its maximum.

All taps of a window are stacked; ArgMax tells which one is the largest, and a table which pixel
that is: its place in the whole tensor, axes in order, or the last two the other way round with
storage_order (ONNX operator schema, MaxPool 12). onnx2tf 2.6.9 knows windows of 2 by 2 without
pads, MNN 3.6.1 counts otherwise.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes
from mobileq.graph.rewrites.windows import Windows, windows_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import NodeProto

_LOWEST = float(np.finfo(np.float32).min)
_MOST_TAPS = 128


def _apply(node: NodeProto, edit: Editing) -> str | None:
    windows = windows_of(node, edit)
    if isinstance(windows, str):
        return windows
    if _is_plain(node, windows):
        return "converters know it"
    return write(node, edit)


def write(node: NodeProto, edit: Editing) -> str | None:
    """Any of float32 over two axes."""
    windows, shape = windows_of(node, edit), edit.shape(node.input[0])
    if len(node.output) < 2 or not node.output[1]:
        return "its indices are not asked for"
    if isinstance(windows, str) or shape is None or len(windows.lengths) != 2:
        return "it is not over two axes of known length"
    if edit.dtype(node.input[0]) != np.float32:
        return "it is not of float32"
    taps = [*itertools.product(*map(range, windows.kernel))]
    if len(taps) > _MOST_TAPS:
        return f"its window has more than {_MOST_TAPS} values"
    padded = edit.emit("Pad", [node.input[0], edit.constant(_pads(windows), "int64"),
                               edit.constant(_LOWEST, "float32")])  # fmt: skip
    stacked = edit.emit("Concat", [_tap(edit, padded, windows, tap) for tap in taps], axis=4)
    edit.emit("Identity", [_reduced(edit, stacked, "ReduceMax")], node.output[:1])
    which = edit.emit("ArgMax", [stacked], axis=4, keepdims=0)
    # The place of a tap is its own, added to that of the window's first one.
    column = attributes(node).get("storage_order", 0) == 1
    steps = (1, windows.lengths[0]) if column else (windows.lengths[1], 1)
    own = [sum(t * d * s for t, d, s in zip(tap, windows.dilations, steps, strict=True))
           for tap in taps]  # fmt: skip
    inside = edit.emit("Gather", [edit.constant(own, "int64"), which], axis=0)
    starts = edit.constant(_starts(shape, windows, steps), "int64")
    edit.emit("Add", [inside, starts], node.output[1:2])
    return None


def _is_plain(node: NodeProto, windows: Windows) -> bool:
    return (
        windows.kernel == windows.strides == (2, 2)
        and not any((*windows.before, *windows.after))
        and all(2 * n <= m for n, m in zip(windows.counts, windows.lengths, strict=True))
        and not attributes(node).get("storage_order", 0)
    )


def _pads(windows: Windows) -> list[int]:
    after = [
        max((count - 1) * stride + (kernel - 1) * dilation + 1 - length - before, 0)
        for count, stride, kernel, dilation, length, before in zip(
            windows.counts, windows.strides, windows.kernel, windows.dilations, windows.lengths,
            windows.before, strict=True,
        )
    ]  # fmt: skip
    return [0, 0, *windows.before, 0, 0, *after]


def _tap(edit: Editing, padded: str, windows: Windows, tap: tuple[int, ...]) -> str:
    """One value of every window, [N, C, H, W, 1]."""
    for at, place in enumerate(tap):
        start, stride = place * windows.dilations[at], windows.strides[at]
        stop = start + (windows.counts[at] - 1) * stride + 1
        padded = edit.sliced(padded, 2 + at, start, stop, stride)
    return edit.unsqueezed(padded, [4])


def _reduced(edit: Editing, name: str, op: str) -> str:
    if edit.opset >= 18:
        return edit.emit(op, [name, edit.constant([4], "int64")], keepdims=0)
    return edit.emit(op, [name], axes=[4], keepdims=0)


def _starts(shape: tuple[int, ...], windows: Windows, steps: tuple[int, int]) -> npt.NDArray[Any]:
    """Where each window begins in the whole tensor, [N, C, H, W]."""
    down, along = (
        (np.arange(count) * stride - before) * step
        for count, stride, before, step in zip(
            windows.counts, windows.strides, windows.before, steps, strict=True
        )
    )
    planes = np.arange(shape[0] * shape[1]).reshape(*shape[:2], 1, 1) * (shape[2] * shape[3])
    found: npt.NDArray[Any] = planes + down[:, None] + along
    return found


RULE = Rule("pool_indices", frozenset({"MaxPool"}), _apply)
