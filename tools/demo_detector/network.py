"""The detector's architecture, written once and interpreted by a graph builder.

A reduced YOLOv8: C2f backbone with SPPF, FPN+PAN neck and a decoupled anchor-free head whose
box branch predicts distributions over distances (DFL, Generalized Focal Loss,
arXiv 2006.04388).  `KerasBuilder` in `keras_model.py` makes it trainable and `OnnxBuilder` in
`export.py` writes the deployed graph, so the two cannot drift apart.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .scenes import CLASS_NAMES

IMAGE_SIZE = 160
STRIDES = (8, 16, 32)
REG_MAX = 16
NUM_CLASSES = len(CLASS_NAMES)
BOX_CHANNELS = 4 * REG_MAX
NUM_ANCHORS = sum((IMAGE_SIZE // stride) ** 2 for stride in STRIDES)

# channels at strides 2, 4, 8, 16, 32
WIDTHS = (16, 24, 40, 48, 56)
HEAD_WIDTH = 32
# one anchor in a hundred holding an object keeps the first steps' class loss small
# (prior of Focal Loss, arXiv 1708.02002)
_CLASS_PRIOR = 0.01


class GraphBuilder[T](Protocol):
    """The operations a YOLOv8 body is made of; `T` is the builder's tensor type."""

    def conv(
        self,
        x: T,
        name: str,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        activation: bool = True,
        initial_bias: float = 0.0,
    ) -> T:
        """Convolution padded by kernel // 2, batch-normalized and SiLU-activated on request.

        `initial_bias` is where training starts from; without an activation only.
        """
        ...

    def split(self, x: T, name: str) -> tuple[T, T]:
        """Two halves along channels."""
        ...

    def add(self, a: T, b: T, name: str) -> T: ...

    def concat(self, xs: list[T], name: str) -> T:
        """Concatenation along channels."""
        ...

    def max_pool(self, x: T, name: str, kernel: int) -> T:
        """Stride 1, padded by kernel // 2."""
        ...

    def upsample(self, x: T, name: str) -> T:
        """Nearest neighbour, by two."""
        ...


def build_body[T](builder: GraphBuilder[T], images: T) -> list[tuple[T, T]]:
    """Builds all but the decoding.

    Returns per stride the box logits (4 * REG_MAX channels: left, top, right, bottom with
    REG_MAX bins each) and the class logits (NUM_CLASSES channels).
    """
    features = _neck(builder, *_backbone(builder, images))
    return [
        (_box_branch(builder, x, level), _class_branch(builder, x, level))
        for level, x in enumerate(features)
    ]


def _backbone[T](b: GraphBuilder[T], images: T) -> tuple[T, T, T]:
    """Features at strides 8, 16 and 32."""
    w2, w4, w8, w16, w32 = WIDTHS
    x = b.conv(images, "stem", w2, 3, 2)
    x = b.conv(x, "stage1/down", w4, 3, 2)
    x = _c2f(b, x, "stage1/c2f", w4)
    x = b.conv(x, "stage2/down", w8, 3, 2)
    p3 = _c2f(b, x, "stage2/c2f", w8, depth=2)
    x = b.conv(p3, "stage3/down", w16, 3, 2)
    p4 = _c2f(b, x, "stage3/c2f", w16)
    x = b.conv(p4, "stage4/down", w32, 3, 2)
    x = _c2f(b, x, "stage4/c2f", w32)
    return p3, p4, _sppf(b, x, "sppf", w32)


def _neck[T](b: GraphBuilder[T], p3: T, p4: T, p5: T) -> tuple[T, T, T]:
    """Top-down (FPN), then bottom-up (PAN) fusion at strides 8, 16 and 32."""
    _, _, w8, w16, w32 = WIDTHS
    x = b.concat([b.upsample(p5, "fpn1/upsample"), p4], "fpn1/concat")
    middle = _c2f(b, x, "fpn1/c2f", w16, shortcut=False)
    x = b.concat([b.upsample(middle, "fpn2/upsample"), p3], "fpn2/concat")
    out3 = _c2f(b, x, "fpn2/c2f", w8, shortcut=False)
    x = b.concat([b.conv(out3, "pan1/down", w8, 3, 2), middle], "pan1/concat")
    out4 = _c2f(b, x, "pan1/c2f", w16, shortcut=False)
    x = b.concat([b.conv(out4, "pan2/down", w16, 3, 2), p5], "pan2/concat")
    return out3, out4, _c2f(b, x, "pan2/c2f", w32, shortcut=False)


def _c2f[T](
    b: GraphBuilder[T], x: T, name: str, channels: int, depth: int = 1, shortcut: bool = True
) -> T:
    """Cross-stage block that passes on every intermediate result (YOLOv8's C2f)."""
    hidden = channels // 2
    parts = list(b.split(b.conv(x, f"{name}/cv1", 2 * hidden), f"{name}/split"))
    for i in range(depth):
        y = b.conv(parts[-1], f"{name}/m{i}/cv1", hidden, 3)
        y = b.conv(y, f"{name}/m{i}/cv2", hidden, 3)
        parts.append(b.add(parts[-1], y, f"{name}/m{i}/add") if shortcut else y)
    return b.conv(b.concat(parts, f"{name}/concat"), f"{name}/cv2", channels)


def _sppf[T](b: GraphBuilder[T], x: T, name: str, channels: int) -> T:
    """Pyramid of three chained 5x5 poolings, equal to windows of 5, 9 and 13."""
    parts = [b.conv(x, f"{name}/cv1", channels // 2)]
    for i in range(3):
        parts.append(b.max_pool(parts[-1], f"{name}/pool{i}", 5))
    return b.conv(b.concat(parts, f"{name}/concat"), f"{name}/cv2", channels)


def _box_branch[T](b: GraphBuilder[T], x: T, level: int) -> T:
    name = f"head/box{level}"
    x = b.conv(x, f"{name}/cv0", HEAD_WIDTH, 3)
    x = b.conv(x, f"{name}/cv1", HEAD_WIDTH, 3)
    return b.conv(x, f"{name}/out", BOX_CHANNELS, activation=False)


def _class_branch[T](b: GraphBuilder[T], x: T, level: int) -> T:
    name = f"head/cls{level}"
    x = b.conv(x, f"{name}/cv0", HEAD_WIDTH, 3)
    x = b.conv(x, f"{name}/cv1", HEAD_WIDTH, 3)
    bias = math.log(_CLASS_PRIOR / (1 - _CLASS_PRIOR))
    return b.conv(x, f"{name}/out", NUM_CLASSES, activation=False, initial_bias=bias)


def anchor_points() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cell centres float32 [A, 2] (xy, in cells of their own stride) and strides [A, 1].

    Anchors run over the strides in order, each row by row.
    """
    points, strides = [], []
    for stride in STRIDES:
        cells = np.arange(IMAGE_SIZE // stride, dtype=np.float32) + 0.5
        y, x = np.meshgrid(cells, cells, indexing="ij")
        points.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((x.size, 1), stride, np.float32))
    return np.concatenate(points), np.concatenate(strides)
