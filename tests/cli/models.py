"""Small models that cannot be converted, or not without help."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper, parser


def model(graph: str, domains: str = "") -> onnx.ModelProto:
    """A model with a convolution's weights `w`, 3 channels to 4."""
    made = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17{domains}]>\n{graph}')
    weights = np.random.default_rng(0).normal(0, 0.5, (4, 3, 1, 1)).astype(np.float32)
    made.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    return made


def saved(made: onnx.ModelProto, path: Path) -> Path:
    onnx.save(made, path)
    return path


def plain(path: Path) -> Path:
    """x [1, 3, 8, 8] -> y [1, 4, 8, 8]; no detector."""
    return saved(model("g (float[1,3,8,8] x) => (float[1,4,8,8] y) { y = Conv(x, w) }"), path)


def colours(path: Path) -> Path:
    """x [1, 3, 8, 8], pixels divided by 255 -> logits of red, green, blue and white, [1, 4]."""
    made = model(
        """g (float[1,3,8,8] x) => (float[1,4] y) {
            a = Conv(x, w)
            b = GlobalAveragePool(a)
            y = Flatten(b)
        }"""
    )
    of_channels = [[8, -4, -4], [-4, 8, -4], [-4, -4, 8], [4, 4, 4]]
    weights = np.array(of_channels, np.float32).reshape(4, 3, 1, 1)
    made.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "w"))
    names = str(["red", "green", "blue", "white"])
    helper.set_model_props(made, {"names": names, "task": "classify"})
    return saved(made, path)


def unsure(path: Path) -> Path:
    """x [1, 3, 8, 8] -> places [1, 4, 8, 8], and scores of the same shape, all below 1e-4."""
    made = model(
        """g (float[1,3,8,8] x) => (float[1,4,8,8] places, float[1,4,8,8] scores) {
            floor = Constant<value = float {-12.0}>()
            places = Conv(x, w)
            logits = Add(places, floor)
            scores = Sigmoid(logits)
        }"""
    )
    return saved(made, path)


def cube(path: Path) -> Path:
    """All axes of y are 4, so that its shape does not tell whether it is NCHW."""
    graph = "g (float[1,3,64,64] x) => (float[1,4,4,4] y) { y = Conv<strides=[16,16]>(x, w) }"
    return saved(model(graph), path)


def quantized(path: Path, kernel: int = 1) -> Path:
    """As `plain`, with QuantizeLinear and DequantizeLinear around the convolution."""
    made = model(
        """g (float[1,3,8,8] x) => (float[1,4,8,8] y) {
            step = Constant<value = float {0.004}>()
            zero = Constant<value = uint8 {0}>()
            q = QuantizeLinear(x, step, zero)
            d = DequantizeLinear(q, step, zero)
            weight_step = Constant<value = float {0.02}>()
            weight_zero = Constant<value = int8 {0}>()
            v = QuantizeLinear(w, weight_step, weight_zero)
            u = DequantizeLinear(v, weight_step, weight_zero)
            c = Conv(d, u)
            wide_step = Constant<value = float {0.025}>()
            middle = Constant<value = uint8 {128}>()
            p = QuantizeLinear(c, wide_step, middle)
            y = DequantizeLinear(p, wide_step, middle)
        }"""
    )
    if kernel > 1:
        (weights,) = made.graph.initializer
        wide = np.tile(numpy_helper.to_array(weights), (1, 1, kernel, kernel))
        weights.CopyFrom(numpy_helper.from_array(wide, "w"))
        (conv,) = (node for node in made.graph.node if node.op_type == "Conv")
        conv.attribute.append(helper.make_attribute("pads", [kernel // 2] * 4))
    return saved(made, path)


def dynamic(path: Path) -> Path:
    """Height and width of `images` are open."""
    return saved(
        model("g (float[1,3,h,v] images) => (float[1,4,h,v] y) { y = Conv(images, w) }"), path
    )


def custom(path: Path) -> Path:
    """The node `align` is of mmcv's own operator."""
    made = model(
        "g (float[1,3,8,8] x) => (float[1,4,8,8] y) { c = Conv(x, w) y = mmcv.RoiAlign(c) }",
        ', "mmcv" : 1',
    )
    made.graph.node[1].name = "align"
    return saved(made, path)


def unconvertible(path: Path) -> Path:
    """The node `volume` is of an operator that ONNX Runtime knows and no converter does."""
    made = model("g (float[1,4,4] x) => (float[1] y) { y = Det(x) }")
    made.graph.node[0].name = "volume"
    return saved(made, path)


def without_data(demo: Path, path: Path) -> Path:
    """Its weights were in `weights.bin`, which is gone."""
    onnx.save_model(
        onnx.load(demo),
        str(path),
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=16,
    )
    (path.parent / "weights.bin").unlink()
    return path


def eighty_classes(path: Path) -> Path:
    """An output of 4 sides and 80 classes for each of 64 cells, all zero."""
    made = model(
        "g (float[1,3,8,8] images) => (float[1,84,64] y) {"
        "c = Conv(images, v) s = Constant<value = int64[3] {1, 84, 64}>() y = Reshape(c, s) }"
    )
    weights = np.zeros((84, 3, 1, 1), np.float32)
    made.graph.initializer.append(numpy_helper.from_array(weights, "v"))
    return saved(made, path)
