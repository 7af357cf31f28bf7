"""Small detectors that leave boxes and scores as two outputs, as four families' exports do."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto

from tests.graph.builders import ints

from .head_builders import (
    ANCHORS,
    HEIGHT,
    STRIDES,
    WIDTH,
    Net,
    branches,
    cells,
    centres,
    corners,
    distances,
    side_lengths,
    stride_row,
)

BINS = 17


def yolonas(
    classes: int = 5, *, bins: int = BINS, activated: bool = True, unit: float = 1.0
) -> ModelProto:
    """Boxes [1, A, 4] and scores [1, A, C]; `activated`: through the sigmoid. `unit`: of boxes, in
    pixels."""
    net = Net()
    branches(net, 4 * bins, classes, False)
    if bins > 1:
        distances(net, bins, "sum", np.arange(bins, dtype=np.float32))
    corners(net, "sides" if bins > 1 else "box", 0.5)
    net.constant("sizes", stride_row(STRIDES) / np.float32(unit))
    net.add(
        "xyxy = Concat<axis = 1>(low, high)",
        "pixels = Mul(xyxy, sizes)",
        "boxes = Transpose<perm = [0, 2, 1]>(pixels)",
        f"active = {'Sigmoid' if activated else 'Identity'}(logits)",
        "scores = Transpose<perm = [0, 2, 1]>(active)",
    )
    return net.model(f"float[1,{cells()},4] boxes, float[1,{cells()},{classes}] scores")


def ppyoloe(
    classes: int = 5, *, divisor: tuple[float, ...] = (1, 1, 1, 1), joined: bool = False
) -> ModelProto:
    """The largest stride first, scores [1, C, A]; boxes are divided by what `scale_factor` says.
    `joined`: in one output, as with `exclude_post_process`."""
    strides = STRIDES[::-1]
    net = Net(strides)
    branches(net, 4 * BINS, classes, False)
    distances(net, BINS, "conv", np.arange(BINS, dtype=np.float32))
    corners(net, "sides", 0.5)
    net.constant("scale", np.array(divisor, np.float32).reshape(1, 1, 4))
    net.add(
        "xyxy = Concat<axis = 1>(low, high)",
        "pixels = Mul(xyxy, sizes)",
        "rows = Transpose<perm = [0, 2, 1]>(pixels)",
        "boxes = Div(rows, scale)",
        "scores = Sigmoid(logits)",
    )
    if joined:
        net.add(
            "score_rows = Transpose<perm = [0, 2, 1]>(scores)",
            "output = Concat<axis = 2>(boxes, score_rows)",
        )
        return net.model(f"float[1,{cells()},{4 + classes}] output")
    return net.model(f"float[1,{cells()},4] boxes, float[1,{classes},{cells()}] scores")


def damoyolo(classes: int = 5, *, extra: int = 1) -> ModelProto:
    """Scores first, of which `extra` classes are cut off, as in its older models; distances in
    pixels, from the corner of a cell, of logits that a learnt number is multiplied by."""
    net = Net()
    net.constant("project", np.arange(BINS, dtype=np.float32).reshape(BINS, 1))
    net.constant("split", ints(1, 4, BINS, -1))
    net.constant("flat", ints(1, classes + extra, -1))
    for s in STRIDES:
        net.constant(f"scale{s}", np.array(1 + s / 64, np.float32))
        net.conv(f"d{s}", f"feature{s}", 4 * BINS)
        net.conv(f"c{s}", f"feature{s}", classes + extra)
        net.add(
            f"scaled{s} = Mul(d{s}, scale{s})",
            f"sides{s} = Reshape(scaled{s}, split)",
            f"soft{s} = Softmax<axis = 2>(sides{s})",
            f"bins{s} = Transpose<perm = [0, 3, 1, 2]>(soft{s})",
            f"score{s} = Sigmoid(c{s})",
            f"flat{s} = Reshape(score{s}, flat)",
            f"rows{s} = Transpose<perm = [0, 2, 1]>(flat{s})",
        )
    for name, value in {
        "sizes": stride_row(STRIDES).transpose(0, 2, 1).copy(),
        "priors": (centres(STRIDES, 0.0) * stride_row(STRIDES)).transpose(0, 2, 1).copy(),
        "pairs": ints(2, 2),
        "rows4": ints(1, -1, 4),
        "zero": ints(0),
        "end": ints(classes),
        "last": ints(2),
    }.items():
        net.constant(name, value)
    net.add(
        "all_scores = Concat<axis = 1>(" + ", ".join(f"rows{s}" for s in STRIDES) + ")",
        "scores = Slice(all_scores, zero, end, last)",
        "all_bins = Concat<axis = 1>(" + ", ".join(f"bins{s}" for s in STRIDES) + ")",
        "mean = MatMul(all_bins, project)",
        "sides = Reshape(mean, rows4)",
        "distance = Mul(sides, sizes)",
        "lt, rb = Split<axis = 2>(distance, pairs)",
        "low = Sub(priors, lt)",
        "high = Add(priors, rb)",
        "boxes = Concat<axis = 2>(low, high)",
    )
    return net.model(f"float[1,{cells()},{classes}] scores, float[1,{cells()},4] boxes")


def yolov4(classes: int = 5) -> ModelProto:
    """Three anchors a cell, anchor after anchor; boxes [1, A, 1, 4] in parts of the picture, and
    scores that an objectness is a factor of."""
    net = Net(gain=1.0)
    values = 5 + classes
    count = 3 * cells()
    net.constant("parts", ints(2, 2, 1, classes))
    net.constant("half", np.array(0.5, np.float32))
    net.constant("back", np.array(0.05, np.float32))
    net.constant("scale_xy", np.array(1.1, np.float32))
    net.constant("boxes_of", ints(1, -1, 1, 4))
    net.constant("scores_of", ints(1, -1, classes))
    for s in STRIDES:
        rows, columns = side_lengths(s)
        pair = np.array(ANCHORS[s], np.float32) / (WIDTH, HEIGHT)
        net.constant(f"anchors{s}", pair.astype(np.float32).reshape(1, 3, 1, 2))
        net.constant(f"grid{s}", centres([s], 0.0).transpose(0, 2, 1)[:, np.newaxis].copy())
        net.constant(f"cells{s}", np.array([columns, rows], np.float32))
        net.constant(f"shape{s}", ints(1, 3, values, rows * columns))
        net.conv(f"m{s}", f"feature{s}", 3 * values)
        net.add(
            f"anchor{s} = Reshape(m{s}, shape{s})",
            f"row{s} = Transpose<perm = [0, 1, 3, 2]>(anchor{s})",
            f"xy{s}, wh{s}, obj{s}, cls{s} = Split<axis = 3>(row{s}, parts)",
            f"sxy{s} = Sigmoid(xy{s})",
            f"wide{s} = Mul(sxy{s}, scale_xy)",
            f"placed{s} = Sub(wide{s}, back)",
            f"at{s} = Add(placed{s}, grid{s})",
            f"centre{s} = Div(at{s}, cells{s})",
            f"ewh{s} = Exp(wh{s})",
            f"size{s} = Mul(ewh{s}, anchors{s})",
            f"halves{s} = Mul(size{s}, half)",
            f"low{s} = Sub(centre{s}, halves{s})",
            f"high{s} = Add(low{s}, size{s})",
            f"xyxy{s} = Concat<axis = 3>(low{s}, high{s})",
            f"box{s} = Reshape(xyxy{s}, boxes_of)",
            f"sobj{s} = Sigmoid(obj{s})",
            f"scls{s} = Sigmoid(cls{s})",
            f"both{s} = Mul(scls{s}, sobj{s})",
            f"score{s} = Reshape(both{s}, scores_of)",
        )
    for name in ("box", "score"):
        parts = ", ".join(f"{name}{s}" for s in STRIDES)
        net.add(f"{'boxes' if name == 'box' else 'confs'} = Concat<axis = 1>({parts})")
    return net.model(f"float[1,{count},1,4] boxes, float[1,{count},{classes}] confs")
