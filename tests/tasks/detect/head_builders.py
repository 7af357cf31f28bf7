"""Small detectors whose heads decode exactly as the real exports do, with settings to vary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto

from mobileq.preparation.prepare import PreparedModel, prepare
from tests.graph.builders import ints, model_of

WIDTH, HEIGHT = 192, 160
"""Of the pictures: not square, and with more than 300 cells in all."""
STRIDES = (8, 16, 32)
ANCHORS = {
    8: ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    16: ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    32: ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
}
FEATURES = 8


class Net:
    """Lines of a graph and its weights."""

    def __init__(self, strides: Sequence[int] = STRIDES, gain: float = 3.0) -> None:
        self.lines: list[str] = []
        self.weights: dict[str, np.ndarray] = {}
        self.strides = tuple(strides)
        self._random = np.random.default_rng(7)
        self._gain = gain
        for s in self.strides:
            self.conv(f"stem{s}", "images", FEATURES, inputs=3, stride=s)
            self.add(f"feature{s} = Relu(stem{s})")

    def add(self, *lines: str) -> None:
        self.lines += lines

    def constant(self, name: str, value: np.ndarray) -> None:
        self.weights[name] = value

    def conv(
        self, name: str, source: str, channels: int, inputs: int = FEATURES, stride: int = 1
    ) -> None:
        spread = self._gain / np.sqrt(inputs)
        shape = (channels, inputs, 1, 1)
        self.constant(f"{name}_w", self._random.normal(0, spread, shape).astype(np.float32))
        self.constant(f"{name}_b", self._random.normal(0, 0.5, channels).astype(np.float32))
        self.add(f"{name} = Conv<strides = [{stride}, {stride}]>({source}, {name}_w, {name}_b)")

    def model(self, outputs: str, metadata: dict[str, str] | None = None) -> ModelProto:
        body = "\n".join(self.lines)
        text = f"g (float[1,3,{HEIGHT},{WIDTH}] images) => ({outputs}) {{\n{body}\n}}"
        return model_of(text, self.weights, metadata=metadata)


def side_lengths(stride: int) -> tuple[int, int]:
    """Rows and columns of cells."""
    return -(-HEIGHT // stride), -(-WIDTH // stride)


def cells(strides: Sequence[int] = STRIDES) -> int:
    return sum(side_lengths(s)[0] * side_lengths(s)[1] for s in strides)


def centres(strides: Sequence[int], offset: float) -> np.ndarray:
    """[1, 2, cells] in strides."""
    found = []
    for s in strides:
        rows, columns = side_lengths(s)
        x, y = np.meshgrid(np.arange(columns), np.arange(rows))
        found.append(np.stack([x.ravel(), y.ravel()]))
    return (np.concatenate(found, axis=1)[np.newaxis] + offset).astype(np.float32)


def stride_row(strides: Sequence[int]) -> np.ndarray:
    """[1, 1, cells]."""
    sizes = [side_lengths(s)[0] * side_lengths(s)[1] for s in strides]
    return np.repeat(np.array(strides, np.float32), sizes).reshape(1, 1, -1)


def yolov5(classes: int = 4, *, anchors_known: bool = True, scale: float = 2.0) -> ModelProto:
    """`scale`: what the sigmoid of a box is multiplied by."""
    net = Net()
    no = 5 + classes
    net.constant("double", np.array(scale, np.float32))
    net.constant("two", np.array(2, np.float32))
    net.constant("parts", ints(2, 2, 1 + classes))
    net.constant("rows", ints(1, -1, no))
    for s in STRIDES:
        rows, columns = side_lengths(s)
        pair = np.array(ANCHORS[s], np.float32).reshape(1, 3, 1, 1, 2)
        grid = centres([s], -0.5).reshape(1, 1, 2, rows, columns).transpose(0, 1, 3, 4, 2)
        net.constant(f"grid{s}", np.ascontiguousarray(grid))
        net.constant(f"anchors{s}", pair)
        net.constant(f"size{s}", np.array(s, np.float32))
        net.constant(f"split{s}", ints(1, 3, no, rows, columns))
        net.conv(f"m{s}", f"feature{s}", 3 * no)
        net.add(
            f"r{s} = Reshape(m{s}, split{s})",
            f"t{s} = Transpose<perm = [0, 1, 3, 4, 2]>(r{s})",
            f"s{s} = Sigmoid(t{s})",
            f"xy{s}, wh{s}, rest{s} = Split<axis = 4>(s{s}, parts)",
            f"xa{s} = Mul(xy{s}, double)",
            f"xb{s} = Add(xa{s}, grid{s})",
            f"xc{s} = Mul(xb{s}, size{s})",
            f"wa{s} = Mul(wh{s}, two)",
            f"wb{s} = Pow(wa{s}, two)" if anchors_known else f"wb{s} = Exp(wa{s})",
            f"wc{s} = Mul(wb{s}, anchors{s})",
            f"cat{s} = Concat<axis = 4>(xc{s}, wc{s}, rest{s})",
            f"flat{s} = Reshape(cat{s}, rows)",
        )
    net.add("output0 = Concat<axis = 1>(" + ", ".join(f"flat{s}" for s in STRIDES) + ")")
    return net.model(f"float[1,{3 * cells()},{no}] output0")


def branches(net: Net, box_values: int, classes: int, classes_first: bool) -> None:
    """Tensors `box` [1, box_values, cells] and `logits` [1, classes, cells]."""
    net.constant("box_rows", ints(1, box_values, -1))
    net.constant("class_rows", ints(1, classes, -1))
    for s in net.strides:
        branches = [("b", box_values), ("c", classes)]
        for letter, channels in reversed(branches) if classes_first else branches:
            net.conv(f"{letter}{s}", f"feature{s}", channels)
        net.add(
            f"bf{s} = Reshape(b{s}, box_rows)",
            f"cf{s} = Reshape(c{s}, class_rows)",
        )
    for letter, name in (("b", "box"), ("c", "logits")):
        parts = ", ".join(f"{letter}f{s}" for s in net.strides)
        net.add(f"{name} = Concat<axis = 2>({parts})")


def distances(net: Net, bins: int, dfl: str, values: np.ndarray) -> None:
    """`sides` [1, 4, cells] from `box`."""
    net.constant("bins4", ints(1, 4, bins, -1))
    net.constant("sides_of", ints(1, 4, -1))
    net.add("split = Reshape(box, bins4)")
    if dfl == "conv":
        net.constant("expect", values.reshape(1, bins, 1, 1))
        net.add(
            "first = Transpose<perm = [0, 2, 1, 3]>(split)",
            "soft = Softmax<axis = 1>(first)",
            "mean = Conv(soft, expect)",
        )
    elif dfl == "matmul":
        net.constant("expect", values.reshape(bins, 1))
        net.add(
            "last = Transpose<perm = [0, 1, 3, 2]>(split)",
            "soft = Softmax<axis = 3>(last)",
            "mean = MatMul(soft, expect)",
        )
    else:
        net.constant("expect", values.reshape(1, 1, bins, 1))
        net.constant("axis2", ints(2))
        net.add(
            "soft = Softmax<axis = 2>(split)",
            "weighted = Mul(expect, soft)",
            "mean = ReduceSum<keepdims = 0>(weighted, axis2)",
        )
    net.add("sides = Reshape(mean, sides_of)")


def corners(net: Net, sides: str, offset: float) -> None:
    """`low` and `high` [1, 2, cells] in strides."""
    net.constant("pairs", ints(2, 2))
    net.constant("centre", centres(net.strides, offset))
    net.constant("sizes", stride_row(net.strides))
    net.add(
        f"lt, rb = Split<axis = 1>({sides}, pairs)",
        "low = Sub(centre, lt)",
        "high = Add(centre, rb)",
    )


def _middle_and_size(net: Net) -> None:
    """`wh` and `xy` [1, 2, cells] of the corners."""
    net.constant("half", np.array(2, np.float32))
    net.add("wh = Sub(high, low)", "sum = Add(low, high)", "xy = Div(sum, half)")


def yolov8(
    classes: int = 4,
    *,
    bins: int = 16,
    dfl: str = "conv",
    values: np.ndarray | None = None,
    offset: float = 0.5,
    strides: Sequence[int] = STRIDES,
    classes_first: bool = False,
    temperature: float = 1.0,
    ceiling: float | None = None,
    normalized: bool = False,
    gain: float = 3.0,
) -> ModelProto:
    """`ceiling`: logits are cut off above. `normalized`: boxes are parts of the picture's sides."""
    net = Net(strides, gain)
    branches(net, 4 * bins, classes, classes_first)
    if bins > 1:
        exact = np.arange(bins, dtype=np.float32) if values is None else values
        distances(net, bins, dfl, exact)
    corners(net, "sides" if bins > 1 else "box", offset)
    _middle_and_size(net)
    net.constant("temperature", np.array(temperature, np.float32))
    net.constant("ceiling", np.array(1e9 if ceiling is None else ceiling, np.float32))
    if normalized:
        sides = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT], np.float32).reshape(1, 4, 1)
        net.constant("sizes", stride_row(strides) / sides)
    net.add(
        "xywh = Concat<axis = 1>(xy, wh)",
        "pixels = Mul(xywh, sizes)",
        "lower = Min(logits, ceiling)",
        "scaled = Mul(lower, temperature)",
        "score = Sigmoid(scaled)",
        "output0 = Concat<axis = 1>(pixels, score)",
    )
    return net.model(f"float[1,{4 + classes},{cells(strides)}] output0")


def end2end(
    classes: int = 4,
    *,
    bins: int = 16,
    kept: int = 300,
    family: str = "YOLOv10",
    first_class: int = 0,
) -> ModelProto:
    """The one-to-one branch; 300 of all anchors by their best class, then 300 pairs of those.

    `first_class`: the class that the first channel stands for.
    """
    net = boxes_beside_scores(bins, classes)
    for name, value in {
        "k": ints(kept),
        "one": ints(1),
        "last": ints(-1),
        "last_axis": ints(2),
        "four_times": ints(1, 1, 4),
        "class_times": ints(1, 1, classes),
        "flat": ints(1, -1),
        "n": ints(classes)[0].reshape(()),
        "first_class": ints(first_class)[0].reshape(()),
    }.items():
        net.constant(name, value)
    net.add(
        "best = ReduceMax<axes = [2], keepdims = 0>(scores)",
        "top, anchor = TopK<axis = 1>(best, k)",
        "anchor1 = Unsqueeze(anchor, last)",
        "anchor_c = Tile(anchor1, class_times)",
        "near = GatherElements<axis = 1>(scores, anchor_c)",
        "row = Reshape(near, flat)",
        "value, pair = TopK<axis = 1>(row, k)",
        "which = Div(pair, n)",
        "turned = Add(pair, first_class)",
        "class_id = Mod(turned, n)",
        "which1 = Unsqueeze(which, last)",
        "kept_anchor = GatherElements<axis = 1>(anchor1, which1)",
        "anchor_4 = Tile(kept_anchor, four_times)",
        "box_out = GatherElements<axis = 1>(boxes, anchor_4)",
        "value1 = Unsqueeze(value, last)",
        "class1 = Unsqueeze(class_id, last)",
        "class_f = Cast<to = 1>(class1)",
        "output0 = Concat<axis = 2>(box_out, value1, class_f)",
    )
    return net.model(f"float[1,{kept},6] output0", {"description": f"Ultralytics {family}n model"})


def boxes_beside_scores(bins: int, classes: int) -> Net:
    """Up to `boxes` [1, cells, 4], corners in pixels, and `scores` [1, cells, classes]."""
    net = Net()
    branches(net, 4 * bins, classes, False)
    if bins > 1:
        distances(net, bins, "conv", np.arange(bins, dtype=np.float32))
    corners(net, "sides" if bins > 1 else "box", 0.5)
    net.constant("split_at", ints(4, classes))
    net.add(
        "xyxy = Concat<axis = 1>(low, high)",
        "pixels = Mul(xyxy, sizes)",
        "score = Sigmoid(logits)",
        "both = Concat<axis = 1>(pixels, score)",
        "rows = Transpose<perm = [0, 2, 1]>(both)",
        "boxes, scores = Split<axis = 2>(rows, split_at)",
    )
    return net


def yolox(
    classes: int = 4, *, decoded: bool = False, objectness_first: bool = False, gain: float = 0.1
) -> ModelProto:
    """`gain`: of the weights; pictures are 0..255, and boxes go through exp."""
    net = Net(gain=gain)
    no = 5 + classes
    net.constant("flat", ints(1, no, -1))
    for s in STRIDES:
        net.conv(f"cls{s}", f"feature{s}", classes)
        names = [("reg", 4), ("obj", 1)]
        for name, channels in reversed(names) if objectness_first else names:
            net.conv(f"{name}{s}", f"feature{s}", channels)
        net.add(
            f"so{s} = Sigmoid(obj{s})",
            f"sc{s} = Sigmoid(cls{s})",
            f"cat{s} = Concat<axis = 1>(reg{s}, so{s}, sc{s})",
            f"f{s} = Reshape(cat{s}, flat)",
        )
    net.add("all = Concat<axis = 2>(" + ", ".join(f"f{s}" for s in STRIDES) + ")")
    if not decoded:
        net.add("output = Transpose<perm = [0, 2, 1]>(all)")
    else:
        net.constant("parts", ints(2, 2, 1 + classes))
        net.constant("grid", centres(STRIDES, 0.0).transpose(0, 2, 1).copy())
        net.constant("sizes", stride_row(STRIDES).transpose(0, 2, 1).copy())
        net.add(
            "rows = Transpose<perm = [0, 2, 1]>(all)",
            "xy, wh, rest = Split<axis = 2>(rows, parts)",
            "xa = Add(xy, grid)",
            "xb = Mul(xa, sizes)",
            "wa = Exp(wh)",
            "wb = Mul(wa, sizes)",
            "output = Concat<axis = 2>(xb, wb, rest)",
        )
    return net.model(f"float[1,{cells()},{no}] output")


def yolov6(classes: int = 4) -> ModelProto:
    """YOLOX's rows with ones for the objectness, from distances."""
    net = Net()
    branches(net, 4, classes, False)
    corners(net, "box", 0.5)
    _middle_and_size(net)
    net.constant("ones", np.ones((1, 1, cells()), np.float32))
    net.add(
        "xywh = Concat<axis = 1>(xy, wh)",
        "pixels = Mul(xywh, sizes)",
        "score = Sigmoid(logits)",
        "all = Concat<axis = 1>(pixels, ones, score)",
        "outputs = Transpose<perm = [0, 2, 1]>(all)",
    )
    return net.model(f"float[1,{cells()},{5 + classes}] outputs")


def nanodet(
    classes: int = 6,
    *,
    bins: int = 8,
    joint: bool = True,
    single: bool = False,
    strides: Sequence[int] = STRIDES,
) -> ModelProto:
    """Two outputs per stride, or one of all; from one convolution per stride or two.

    With a fourth stride, 64, two outputs per stride are PicoDet's.
    """
    net = Net(strides)
    values = classes + 4 * bins
    net.constant("parts", ints(classes, 4 * bins))
    net.constant("c_rows", ints(classes, -1))
    net.constant("d_rows", ints(4 * bins, -1))
    net.constant("flat", ints(1, values, -1))
    outputs = []
    for s in strides:
        count = side_lengths(s)[0] * side_lengths(s)[1]
        if joint:
            net.conv(f"m{s}", f"feature{s}", values)
            net.add(f"c{s}, d{s} = Split<axis = 1>(m{s}, parts)")
        else:
            net.conv(f"d{s}", f"feature{s}", 4 * bins)
            net.conv(f"c{s}", f"feature{s}", classes)
        net.add(f"s{s} = Sigmoid(c{s})")
        if single:
            net.add(f"cat{s} = Concat<axis = 1>(s{s}, d{s})", f"f{s} = Reshape(cat{s}, flat)")
        else:
            net.add(
                f"cr{s} = Reshape(s{s}, c_rows)",
                f"dr{s} = Reshape(d{s}, d_rows)",
                f"cls{s} = Transpose<perm = [1, 0]>(cr{s})",
                f"dis{s} = Transpose<perm = [1, 0]>(dr{s})",
            )
            outputs += [f"float[{count},{classes}] cls{s}", f"float[{count},{4 * bins}] dis{s}"]
    if single:
        net.add(
            "all = Concat<axis = 2>(" + ", ".join(f"f{s}" for s in strides) + ")",
            "output = Transpose<perm = [0, 2, 1]>(all)",
        )
        outputs = [f"float[1,{cells(strides)},{values}] output"]
    return net.model(", ".join(outputs))


def prepared(model: ModelProto, folder: Path, family: str | None = None) -> PreparedModel:
    """As a file would be."""
    onnx.save(model, folder / "small.onnx")
    return prepare(folder / "small.onnx", family=family)
