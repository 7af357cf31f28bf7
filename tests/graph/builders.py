"""Small models written as text: one convolution per stride for a backbone, then a real head."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper, parser

from mobileq.spec import TensorSpec

WIDTH, HEIGHT = 96, 64
"""Of the pictures the models take: not square, so that mixing them up shows."""
STRIDES = (8, 16, 32)
CELLS = tuple((HEIGHT // stride) * (WIDTH // stride) for stride in STRIDES)
TOTAL = sum(CELLS)


def model_of(
    graph: str,
    weights: dict[str, np.ndarray] | None = None,
    *,
    opset: int = 17,
    ir_version: int = 8,
    metadata: dict[str, str] | None = None,
    domains: str = "",
) -> ModelProto:
    """Parse a graph and put `weights` into it."""
    model = parser.parse_model(
        f'<ir_version: {ir_version}, opset_import: ["" : {opset}{domains}]>\n{graph}'
    )
    for name, array in (weights or {}).items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    onnx.helper.set_model_props(model, metadata or {})
    return model


def conv_weights(channels: int, seed: int = 0) -> np.ndarray:
    """[channels, 3, 1, 1]."""
    return np.random.default_rng(seed).normal(0, 0.5, (channels, 3, 1, 1)).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def small_model(**options: object) -> ModelProto:
    """x [1, 3, 8, 8] -> y [1, 4, 8, 8]."""
    return model_of(
        """g (float[1,3,8,8] x) => (float[1,4,8,8] y) {
            k = Constant<value = float[1] {3.0}>() c = Conv(x, w) y = Mul(c, k)
        }""",
        {"w": conv_weights(4)},
        **options,  # type: ignore[arg-type]
    )


def head_model(
    body: list[str],
    outputs: str,
    weights: dict[str, np.ndarray],
    *,
    batch: str = "1",
    metadata: dict[str, str] | None = None,
    opset: int = 17,
) -> ModelProto:
    """A graph over the input `images`."""
    lines = "\n".join(body)
    text = f"g (float[{batch},3,{HEIGHT},{WIDTH}] images) => ({outputs}) {{\n{lines}\n}}"
    return model_of(text, weights, metadata=metadata, opset=opset)


def _conv(name: str, stride: int, channels: int, weights: dict[str, np.ndarray]) -> str:
    weights[f"w_{name}"] = conv_weights(channels, len(weights))
    return f"{name} = Conv<strides = [{stride}, {stride}]>(images, w_{name})"


YOLOV5_ANCHORS = {
    8: ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    16: ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    32: ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
}


def yolov5(
    classes: int = 4,
    *,
    expand: bool = True,
    batch: str = "1",
    metadata: dict[str, str] | None = None,
) -> ModelProto:
    """A decoded head of three anchors per cell; anchors over all cells, or one per map."""
    no = 5 + classes
    weights: dict[str, np.ndarray] = {
        "two": np.array(2, np.float32),
        "parts": ints(2, 2, no - 4),
        "rows": ints(1, -1, no),
    }
    body = []
    for i, s in enumerate(STRIDES):
        h, w = HEIGHT // s, WIDTH // s
        pair = np.array(YOLOV5_ANCHORS[s], np.float32).reshape(1, 3, 1, 1, 2)
        weights[f"anchors{i}"] = np.broadcast_to(pair, (1, 3, h, w, 2)).copy() if expand else pair
        weights[f"grid{i}"] = np.random.default_rng(i).random((1, 3, h, w, 2), np.float32)
        weights[f"stride{i}"] = np.array(s, np.float32)
        weights[f"split{i}"] = ints(1, 3, no, h, w)
        body += [
            _conv(f"m{i}", s, 3 * no, weights),
            f"r{i} = Reshape(m{i}, split{i})",
            f"t{i} = Transpose<perm = [0, 1, 3, 4, 2]>(r{i})",
            f"s{i} = Sigmoid(t{i})",
            f"xy{i}, wh{i}, rest{i} = Split<axis = 4>(s{i}, parts)",
            f"xa{i} = Mul(xy{i}, two)",
            f"xb{i} = Add(xa{i}, grid{i})",
            f"xc{i} = Mul(xb{i}, stride{i})",
            f"wa{i} = Mul(wh{i}, two)",
            f"wb{i} = Pow(wa{i}, two)",
            f"wc{i} = Mul(wb{i}, anchors{i})",
            f"cat{i} = Concat<axis = 4>(xc{i}, wc{i}, rest{i})",
            f"flat{i} = Reshape(cat{i}, rows)",
        ]
    body.append("output0 = Concat<axis = 1>(flat0, flat1, flat2)")
    shape = f"float[{batch},{3 * TOTAL},{no}] output0"
    return head_model(body, shape, weights, batch=batch, metadata=metadata)


def yolov8(
    classes: int = 4,
    *,
    extra: int = 0,
    bins: int = 16,
    transposed: bool = False,
    batch: str = "1",
    metadata: dict[str, str] | None = None,
) -> ModelProto:
    """Ultralytics' anchor-free head with a DFL; `extra` raw channels after the classes."""
    weights: dict[str, np.ndarray] = {
        "boxes_of": ints(1, 4 * bins, -1),
        "scores_of": ints(1, classes, -1),
        "bins": ints(1, 4, bins, -1),
        "sides": ints(1, 4, -1),
        "dfl": np.arange(bins, dtype=np.float32).reshape(1, bins, 1, 1),
        "strides": np.repeat(np.array(STRIDES, np.float32), CELLS).reshape(1, 1, -1),
        "pairs": ints(2, 2),
        "centre": np.random.default_rng(1).random((1, 2, TOTAL), np.float32),
    }
    body = []
    for i, s in enumerate(STRIDES):
        body += [
            _conv(f"b{i}", s, 4 * bins, weights),
            _conv(f"c{i}", s, classes, weights),
            f"bf{i} = Reshape(b{i}, boxes_of)",
            f"cf{i} = Reshape(c{i}, scores_of)",
        ]
    body += [
        "b = Concat<axis = 2>(bf0, bf1, bf2)",
        "c = Concat<axis = 2>(cf0, cf1, cf2)",
        "d0 = Reshape(b, bins)",
        "d1 = Transpose<perm = [0, 2, 1, 3]>(d0)",
        "d2 = Softmax<axis = 1>(d1)",
        "d3 = Conv(d2, dfl)",
        "d4 = Reshape(d3, sides)",
        "lt, rb = Split<axis = 1>(d4, pairs)",
        "low = Sub(centre, lt)",
        "high = Add(centre, rb)",
        "xywh = Concat<axis = 1>(low, high)",
        "box = Mul(xywh, strides)",
        "score = Sigmoid(c)",
    ]
    parts = "box, score"
    if extra:
        weights["extras"] = np.ones((1, extra, TOTAL), np.float32)
        parts += ", extras"
    name = "untransposed" if transposed else "output0"
    body.append(f"{name} = Concat<axis = 1>({parts})")
    channels = 4 + classes + extra
    shape = f"float[{batch},{channels},{TOTAL}] output0"
    if transposed:
        body.append("output0 = Transpose<perm = [0, 2, 1]>(untransposed)")
        shape = f"float[{batch},{TOTAL},{channels}] output0"
    return head_model(body, shape, weights, batch=batch, metadata=metadata)


def yolox(
    classes: int = 4, *, decoded: bool = False, metadata: dict[str, str] | None = None
) -> ModelProto:
    """Box, objectness and classes per cell; boxes bare, or with grid and exp in the graph."""
    no = 5 + classes
    weights: dict[str, np.ndarray] = {
        "flat": ints(1, no, -1),
        "parts": ints(2, 2, no - 4),
        "grid": np.random.default_rng(1).random((1, TOTAL, 2), np.float32),
        "strides": np.repeat(np.array(STRIDES, np.float32), CELLS).reshape(1, -1, 1),
    }
    body = []
    for i, s in enumerate(STRIDES):
        body += [
            _conv(f"reg{i}", s, 4, weights),
            _conv(f"obj{i}", s, 1, weights),
            _conv(f"cls{i}", s, classes, weights),
            f"so{i} = Sigmoid(obj{i})",
            f"sc{i} = Sigmoid(cls{i})",
            f"cat{i} = Concat<axis = 1>(reg{i}, so{i}, sc{i})",
            f"f{i} = Reshape(cat{i}, flat)",
        ]
    body.append("all = Concat<axis = 2>(f0, f1, f2)")
    body.append(f"{'rows' if decoded else 'output'} = Transpose<perm = [0, 2, 1]>(all)")
    if decoded:
        body += [
            "xy, wh, rest = Split<axis = 2>(rows, parts)",
            "xa = Add(xy, grid)",
            "xb = Mul(xa, strides)",
            "wa = Exp(wh)",
            "wb = Mul(wa, strides)",
            "output = Concat<axis = 2>(xb, wb, rest)",
        ]
    return head_model(body, f"float[1,{TOTAL},{no}] output", weights, metadata=metadata)


def nanodet(
    classes: int = 6,
    *,
    bins: int = 8,
    names: tuple[str, ...] = ("c0", "c1", "c2", "d0", "d1", "d2"),
) -> ModelProto:
    """Two outputs per stride, [cells, classes] and [cells, 4 * bins]."""
    weights = {"c_rows": ints(classes, -1), "d_rows": ints(4 * bins, -1)}
    body, outputs = [], []
    for i, s in enumerate(STRIDES):
        body += [
            _conv(f"cc{i}", s, classes, weights),
            _conv(f"dd{i}", s, 4 * bins, weights),
            f"cs{i} = Sigmoid(cc{i})",
            f"cr{i} = Reshape(cs{i}, c_rows)",
            f"dr{i} = Reshape(dd{i}, d_rows)",
            f"{names[i]} = Transpose<perm = [1, 0]>(cr{i})",
            f"{names[3 + i]} = Transpose<perm = [1, 0]>(dr{i})",
        ]
        outputs += [
            f"float[{CELLS[i]},{classes}] {names[i]}",
            f"float[{CELLS[i]},{4 * bins}] {names[3 + i]}",
        ]
    return head_model(body, ", ".join(outputs), weights)


def nanodet_single(classes: int = 6, *, bins: int = 8) -> ModelProto:
    """One output [1, cells, classes + 4 * bins]."""
    values = classes + 4 * bins
    weights = {"flat": ints(1, values, -1)}
    body = []
    for i, s in enumerate(STRIDES):
        body += [
            _conv(f"c{i}", s, classes, weights),
            _conv(f"d{i}", s, 4 * bins, weights),
            f"s{i} = Sigmoid(c{i})",
            f"cat{i} = Concat<axis = 1>(s{i}, d{i})",
            f"f{i} = Reshape(cat{i}, flat)",
        ]
    body += [
        "all = Concat<axis = 2>(f0, f1, f2)",
        "output = Transpose<perm = [0, 2, 1]>(all)",
    ]
    return head_model(body, f"float[1,{TOTAL},{values}] output", weights)


def ssd(classes: int = 7, *, swapped: bool = False, from_one: bool = False) -> ModelProto:
    """Suppression, top-k and the four outputs; `swapped` puts scores before classes."""
    kept = 5
    weights: dict[str, np.ndarray] = {
        "w_b": conv_weights(4, 1),
        "w_c": conv_weights(classes, 2),
        "b_rows": ints(1, 4, -1),
        "c_rows": ints(1, classes, -1),
        "most": ints(3),
        "iou": np.array([0.5], np.float32),
        "low": np.array([0.0], np.float32),
        "k": ints(kept),
        "class_col": ints(1),
        "one": np.array(1, np.float32),
        "zero": ints(0),
        "total": np.array([float(kept)], np.float32),
    }
    ids = "ids_a = Cast<to = 1>(picked)"
    body = [
        "b0 = Conv<strides = [8, 8]>(images, w_b)",
        "b1 = Reshape(b0, b_rows)",
        "boxes_all = Transpose<perm = [0, 2, 1]>(b1)",
        "c0 = Conv<strides = [8, 8]>(images, w_c)",
        "c1 = Sigmoid(c0)",
        "scores_all = Reshape(c1, c_rows)",
        "chosen = NonMaxSuppression(boxes_all, scores_all, most, iou, low)",
        "score_of = GatherND(scores_all, chosen)",
        "best, where = TopK(score_of, k)",
        "class_ids = Gather<axis = 1>(chosen, class_col)",
        "class_row = Squeeze(class_ids, class_col)",
        "picked = Gather(class_row, where)",
        ids,
        "ids_b = Add(ids_a, one)" if from_one else "ids_b = Identity(ids_a)",
        "second = Unsqueeze(ids_b, zero)" if swapped else "first = Unsqueeze(ids_b, zero)",
        "first = Unsqueeze(best, zero)" if swapped else "second = Unsqueeze(best, zero)",
        "few = Slice(boxes_all, zero, k, class_col)",
        "boxes = Identity(few)",
        "count = Identity(total)",
    ]
    outputs = (
        f"float[1,{kept},4] boxes, float[1,{kept}] first, float[1,{kept}] second, float[1] count"
    )
    return head_model(body, outputs, weights)


def end2end(
    classes: int = 4, *, squashed: bool = False, metadata: dict[str, str] | None = None
) -> ModelProto:
    """[1, 5, 6]: top-k over all anchor-class pairs, the class as the index modulo the classes.

    `squashed`: a sigmoid keeps the boxes in 0..1, as RT-DETR's.
    """
    weights: dict[str, np.ndarray] = {
        "w_b": conv_weights(4, 1),
        "w_c": conv_weights(classes, 2),
        "b_rows": ints(1, 4, -1),
        "c_rows": ints(1, classes, -1),
        "flat": ints(-1),
        "k": ints(5),
        "n": ints(classes)[0].reshape(()),
        "axes": ints(0, 2),
        "zero": ints(0),
    }
    body = [
        "b0 = Conv<strides = [8, 8]>(images, w_b)",
        "b1 = Reshape(b0, b_rows)",
        "b2 = Sigmoid(b1)" if squashed else "b2 = Identity(b1)",
        "boxes = Transpose<perm = [0, 2, 1]>(b2)",
        "c0 = Conv<strides = [8, 8]>(images, w_c)",
        "c1 = Sigmoid(c0)",
        "c2 = Reshape(c1, c_rows)",
        "c3 = Transpose<perm = [0, 2, 1]>(c2)",
        "scores = Reshape(c3, flat)",
        "best, index = TopK(scores, k)",
        "anchor = Div(index, n)",
        "class_id = Mod(index, n)",
        "class_f = Cast<to = 1>(class_id)",
        "box = Gather<axis = 1>(boxes, anchor)",
        "s = Unsqueeze(best, axes)",
        "c = Unsqueeze(class_f, axes)",
        "output0 = Concat<axis = 2>(box, s, c)",
    ]
    return head_model(body, "float[1,5,6] output0", weights, metadata=metadata)


def suppressed(classes: int = 4) -> ModelProto:
    """[1, 5, 6]: each box's best class, and a NonMaxSuppression that sees only one class."""
    weights: dict[str, np.ndarray] = {
        "w_b": conv_weights(4, 1),
        "w_c": conv_weights(classes, 2),
        "b_rows": ints(1, 4, -1),
        "c_rows": ints(1, classes, -1),
        "most": ints(5),
        "iou": np.array([0.45], np.float32),
        "low": np.array([-1], np.float32),
        "column": ints(2),
        "flat": ints(-1),
    }
    body = [
        "b0 = Conv<strides = [8, 8]>(images, w_b)",
        "b1 = Reshape(b0, b_rows)",
        "boxes = Transpose<perm = [0, 2, 1]>(b1)",
        "c0 = Conv<strides = [8, 8]>(images, w_c)",
        "c1 = Sigmoid(c0)",
        "c2 = Reshape(c1, c_rows)",
        "best = ReduceMax<axes = [1], keepdims = 1>(c2)",
        "class_id = ArgMax<axis = 1, keepdims = 1>(c2)",
        "class_f = Cast<to = 1>(class_id)",
        "chosen = NonMaxSuppression(boxes, best, most, iou, low)",
        "c = Gather<axis = 1>(chosen, column)",
        "index = Reshape(c, flat)",
        "box = Gather<axis = 1>(boxes, index)",
        "t = Concat<axis = 1>(best, class_f)",
        "u = Transpose<perm = [0, 2, 1]>(t)",
        "rest = Gather<axis = 1>(u, index)",
        "output0 = Concat<axis = 2>(box, rest)",
    ]
    return head_model(body, "float[1,N,6] output0", weights)


NAMES4 = "{0: 'a', 1: 'b', 2: 'c', 3: 'd'}"


def outputs_of(*shapes: tuple[int, ...], names: tuple[str, ...] = ()) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name=names[i] if names else f"o{i}", shape=shape, dtype="float32")
        for i, shape in enumerate(shapes)
    )


def picture(*shape: int, dtype: str = "float32") -> tuple[TensorSpec, ...]:
    return (TensorSpec(name="x", shape=shape, dtype=dtype),)


NCHW640 = picture(1, 3, 640, 640)
NHWC640 = picture(1, 640, 640, 3)
