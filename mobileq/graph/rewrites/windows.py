"""The windows of convolutions and poolings: kernel, strides, dilations and pads, all explicit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


@dataclass(frozen=True)
class Windows:
    """One entry for each spatial axis; `before` and `after` are the pads."""

    lengths: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    counts: tuple[int, ...]
    """How many windows there are."""


def windows_of(node: NodeProto, edit: Editing) -> Windows | str:
    """The windows, or why they are not known (ONNX operator schemas, Conv and MaxPool)."""
    given = attributes(node)
    shape = edit.shape(node.input[0])
    if shape is None:
        return "the shape is not known"
    lengths, kernel = shape[2:], given.get("kernel_shape")
    if kernel is None:
        weights = edit.shape(node.input[1]) if len(node.input) > 1 else None
        if weights is None:
            return "the kernel's shape is not known"
        kernel = weights[2:]
    ones = [1] * len(lengths)
    strides, dilations = given.get("strides", ones), given.get("dilations", ones)
    pads = given.get("pads", [0] * 2 * len(lengths))
    before, after = list(pads[: len(lengths)]), list(pads[len(lengths) :])
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    auto = given.get("auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        counts = [math.ceil(n / s) for n, s in zip(lengths, strides, strict=True)]
        for at, (n, s, span) in enumerate(zip(lengths, strides, spans, strict=True)):
            total = max((counts[at] - 1) * s + span - n, 0)
            less, more = total // 2, total - total // 2
            before[at], after[at] = (more, less) if auto == "SAME_LOWER" else (less, more)
    else:
        counts = _counts(given.get("ceil_mode", 0), lengths, before, after, spans, strides)
    return Windows(
        tuple(lengths), tuple(kernel), tuple(strides), tuple(dilations),
        tuple(before), tuple(after), tuple(counts),
    )  # fmt: skip


def _counts(
    ceil_mode: int,
    lengths: tuple[int, ...],
    before: list[int],
    after: list[int],
    spans: list[int],
    strides: list[int],
) -> list[int]:
    counts = []
    for n, b, a, span, s in zip(lengths, before, after, spans, strides, strict=True):
        room = n + b + a - span
        count = (math.ceil(room / s) if ceil_mode else room // s) + 1
        if ceil_mode and (count - 1) * s >= n + b:
            count -= 1  # a window that begins in the padding behind is left out
        counts.append(count)
    return counts
