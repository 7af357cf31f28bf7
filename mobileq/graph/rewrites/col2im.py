"""Col2Im: a transposed convolution whose kernel k puts channel k at tap k.

y[n, c, p] = sum over taps k and blocks l of x[n, c K + k, l] where p = l * stride - pad + k *
dilation (ONNX operator schema, Col2Im 18).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given, shape = attributes(node), edit.shape(node.input[0])
    image, block = (edit.value(name) for name in node.input[1:3])
    if shape is None or image is None or block is None:
        return "its shapes are not known"
    if edit.dtype(node.input[0]) != np.float32:
        return "it is not of float32"
    lengths, kernel = [*map(int, image)], [*map(int, block)]
    strides, dilations = given.get("strides"), given.get("dilations")
    strides, dilations = (each or [1] * len(kernel) for each in (strides, dilations))
    pads = given.get("pads", [0] * 2 * len(kernel))
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    room = [n + pads[at] + pads[at + len(kernel)] - spans[at] for at, n in enumerate(lengths)]
    blocks = [free // stride + 1 for free, stride in zip(room, strides, strict=True)]
    taps = int(np.prod(kernel))
    batch, channels = shape[0], shape[1] // taps
    split = edit.constant([batch * channels, taps, *blocks], "int64")
    ones = edit.constant(np.eye(taps).reshape(taps, 1, *kernel), "float32", "weights")
    image_name = edit.emit(
        "ConvTranspose", [edit.emit("Reshape", [node.input[0], split]), ones],
        kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads,
        output_padding=[free % stride for free, stride in zip(room, strides, strict=True)],
    )  # fmt: skip
    whole = edit.constant([batch, channels, *lengths], "int64")
    edit.emit("Reshape", [image_name, whole], node.output)
    return None


RULE = Rule("col2im", frozenset({"Col2Im"}), _apply)
