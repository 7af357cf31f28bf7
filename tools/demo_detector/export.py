"""Writes the trained network as an ONNX graph of the form Ultralytics exports YOLOv8 in.

NCHW, opset 17, batch normalization folded, SiLU as Sigmoid and Mul, boxes decoded within the
graph.  The output is float32 [1, 4 + nc, A]: cx, cy, width and height in input pixels, then
the class scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .keras_model import ConvWeights
from .network import (
    BOX_CHANNELS,
    IMAGE_SIZE,
    NUM_ANCHORS,
    NUM_CLASSES,
    REG_MAX,
    STRIDES,
    anchor_points,
    build_body,
)
from .scenes import CLASS_NAMES

_OPSET = 17
_IR_VERSION = 8
_INPUT, _OUTPUT = "images", "output0"


class OnnxBuilder:
    """Interprets the architecture as ONNX nodes; tensors are passed around by name.

    Node `/model/stem/Conv` writes tensor `/model/stem/Conv_output_0` and reads
    `model.stem.conv.weight`.
    """

    def __init__(self, weights: Mapping[str, ConvWeights]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self._weights = weights

    def node(self, op: str, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Appends a node with one output and returns the output's name."""
        return self.nodes_with_outputs(op, name, inputs, 1, **attributes)[0]

    def nodes_with_outputs(
        self, op: str, name: str, inputs: Sequence[str], count: int, **attributes: Any
    ) -> list[str]:
        node_name = f"/model/{name}"
        outputs = [f"{node_name}_output_{i}" for i in range(count)]
        self.nodes.append(helper.make_node(op, inputs, outputs, node_name, **attributes))
        return outputs

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """An initializer; the same name stands for the same value."""
        tensor_name = f"model.{name.replace('/', '.')}"
        self.initializers[tensor_name] = numpy_helper.from_array(value, tensor_name)
        return tensor_name

    def conv(
        self,
        x: str,
        name: str,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        activation: bool = True,
        initial_bias: float = 0.0,
    ) -> str:
        weight, bias = self._weights[name].weight, self._weights[name].bias
        if weight.shape[0] != channels or weight.shape[2:] != (kernel, kernel):
            raise ValueError(f"weights of {name} have shape {weight.shape}")
        parameters = [
            self.constant(f"{name}/conv.weight", weight),
            self.constant(f"{name}/conv.bias", bias),
        ]
        y = self.node(
            "Conv",
            f"{name}/Conv",
            [x, *parameters],
            dilations=[1, 1],
            group=1,
            kernel_shape=[kernel, kernel],
            pads=[kernel // 2] * 4,
            strides=[stride, stride],
        )
        if not activation:
            return y
        gate = self.node("Sigmoid", f"{name}/act/Sigmoid", [y])
        return self.node("Mul", f"{name}/act/Mul", [y, gate])

    def split(self, x: str, name: str) -> tuple[str, str]:
        half = self._weights[name.removesuffix("/split") + "/cv1"].bias.size // 2
        sizes = self.constant(f"{name}.sizes", np.array([half, half], np.int64))
        first, second = self.nodes_with_outputs("Split", f"{name}/Split", [x, sizes], 2, axis=1)
        return first, second

    def add(self, a: str, b: str, name: str) -> str:
        return self.node("Add", f"{name}/Add", [a, b])

    def concat(self, xs: list[str], name: str, axis: int = 1) -> str:
        return self.node("Concat", f"{name}/Concat", xs, axis=axis)

    def max_pool(self, x: str, name: str, kernel: int) -> str:
        return self.node(
            "MaxPool",
            f"{name}/MaxPool",
            [x],
            ceil_mode=0,
            dilations=[1, 1],
            kernel_shape=[kernel, kernel],
            pads=[kernel // 2] * 4,
            strides=[1, 1],
        )

    def upsample(self, x: str, name: str) -> str:
        scales = self.constant("upsample.scales", np.array([1, 1, 2, 2], np.float32))
        return self.node(
            "Resize",
            f"{name}/Resize",
            [x, "", scales],
            coordinate_transformation_mode="asymmetric",
            cubic_coeff_a=-0.75,
            mode="nearest",
            nearest_mode="floor",
        )


def export_onnx(weights: Mapping[str, ConvWeights], path: Path) -> None:
    """Writes the graph with Ultralytics' metadata and checks it."""
    builder = OnnxBuilder(weights)
    boxes, scores = _decode(builder, build_body(builder, _INPUT))
    builder.concat([boxes, scores], "head")
    builder.nodes[-1].output[0] = _OUTPUT
    graph = helper.make_graph(
        builder.nodes,
        "main_graph",
        [helper.make_tensor_value_info(_INPUT, TensorProto.FLOAT, [1, 3, IMAGE_SIZE, IMAGE_SIZE])],
        [
            helper.make_tensor_value_info(
                _OUTPUT, TensorProto.FLOAT, [1, 4 + NUM_CLASSES, NUM_ANCHORS]
            )
        ],
        list(builder.initializers.values()),
    )
    model = helper.make_model(
        graph,
        producer_name="mobileq",
        ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid("", _OPSET)],
    )
    helper.set_model_props(model, _metadata())
    model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def count_parameters(path: Path) -> int:
    """Trained weights and biases; not the constants of the decoding."""
    graph = onnx.load(path).graph
    trained = {
        name
        for node in graph.node
        # the one convolution without a bias is the DFL's
        if node.op_type == "Conv" and len(node.input) == 3
        for name in node.input[1:]
    }
    return sum(math.prod(item.dims) for item in graph.initializer if item.name in trained)


def _decode(b: OnnxBuilder, outputs: list[tuple[str, str]]) -> tuple[str, str]:
    """From the branches of every stride to boxes [1, 4, A] and scores [1, nc, A]."""
    shape = b.constant("head/level_shape", np.array([1, BOX_CHANNELS + NUM_CLASSES, -1], np.int64))
    levels = []
    for level, (box, cls) in enumerate(outputs):
        joined = b.concat([box, cls], f"head/level{level}")
        levels.append(b.node("Reshape", f"head/level{level}/Reshape", [joined, shape]))
    everything = b.concat(levels, "head/levels", axis=2)
    sizes = b.constant("head/split_sizes", np.array([BOX_CHANNELS, NUM_CLASSES], np.int64))
    box_logits, class_logits = b.nodes_with_outputs(
        "Split", "head/Split", [everything, sizes], 2, axis=1
    )
    distances = _expected_distances(b, box_logits)
    return _boxes_from_distances(b, distances), b.node("Sigmoid", "head/Sigmoid", [class_logits])


def _expected_distances(b: OnnxBuilder, box_logits: str) -> str:
    """DFL: [1, 4 * REG_MAX, A] to the bins' expected values [1, 4, A]."""
    bins_shape = b.constant("head/dfl/bins_shape", np.array([1, 4, REG_MAX, NUM_ANCHORS], np.int64))
    bins = b.node("Reshape", "head/dfl/Reshape", [box_logits, bins_shape])
    bins = b.node("Transpose", "head/dfl/Transpose", [bins], perm=[0, 2, 1, 3])
    probabilities = b.node("Softmax", "head/dfl/Softmax", [bins], axis=1)
    values = np.arange(REG_MAX, dtype=np.float32).reshape(1, REG_MAX, 1, 1)
    expected = b.node(
        "Conv",
        "head/dfl/conv/Conv",
        [probabilities, b.constant("head/dfl/conv.weight", values)],
        dilations=[1, 1],
        group=1,
        kernel_shape=[1, 1],
        pads=[0, 0, 0, 0],
        strides=[1, 1],
    )
    sides_shape = b.constant("head/dfl/sides_shape", np.array([1, 4, NUM_ANCHORS], np.int64))
    return b.node("Reshape", "head/dfl/Reshape_1", [expected, sides_shape])


def _boxes_from_distances(b: OnnxBuilder, distances: str) -> str:
    """Left, top, right, bottom [1, 4, A] in cells to cx, cy, width, height in pixels."""
    points, strides = anchor_points()
    anchors = b.constant("head/anchors", points.T[None])
    axis, zero, two, four = (
        b.constant(f"head/slice_{i}", np.array([i], np.int64)) for i in (1, 0, 2, 4)
    )
    left_top = b.node("Slice", "head/Slice", [distances, zero, two, axis])
    right_bottom = b.node("Slice", "head/Slice_1", [distances, two, four, axis])
    first = b.node("Sub", "head/Sub", [anchors, left_top])
    second = b.node("Add", "head/Add", [anchors, right_bottom])
    total = b.node("Add", "head/Add_1", [first, second])
    half = b.constant("head/two", np.array(2, np.float32))
    centre = b.node("Div", "head/Div", [total, half])
    sides = b.node("Sub", "head/Sub_1", [second, first])
    boxes = b.concat([centre, sides], "head/boxes")
    return b.node("Mul", "head/Mul", [boxes, b.constant("head/strides", strides.T)])


def _metadata() -> dict[str, str]:
    return {
        "description": "YOLOv8-style detector of drawn shapes",
        "author": "mobileq",
        "license": "Apache-2.0",
        "stride": str(max(STRIDES)),
        "task": "detect",
        "batch": "1",
        "imgsz": str([IMAGE_SIZE, IMAGE_SIZE]),
        "names": str(dict(enumerate(CLASS_NAMES))),
    }
