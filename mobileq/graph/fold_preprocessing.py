"""Takes a model's preprocessing into its graph, whose input then is pixels from 0 to 255, RGB.

    (pixel * rescale_factor - mean) / std = pixel * (rescale_factor / std) - mean / std

is a convolution of one pixel, with a weight and a bias for each channel: of all ways to write it
the one that integers compute with a scale for each channel, rounded once. The order of the channels
is that of its weights. It is not put into the model's first convolution, for what that adds around
the picture is 0 after the preprocessing, and no one color before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mobileq.graph.outline import DYNAMIC, dims
from mobileq.spec import ModelSpec, PreprocessSpec

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

FOLDED = "mobileq_preprocessing"
FOLDED_IN = f"{FOLDED}/in"
"""Names of the convolution, and of what brings it the channels first. What they take is pixels, in
8 bits without rounding any."""
PIXELS = (0.0, 255.0)


def fold_preprocessing(model: ModelProto, spec: ModelSpec) -> tuple[ModelProto, ModelSpec]:
    """The model with its preprocessing in front, and the spec of it. `model` is changed.

    Args:
        spec: Of a model that takes a picture in floats.
    """
    import numpy as np
    from onnx import helper, numpy_helper

    assert spec.preprocess is not None
    preprocess, name = spec.preprocess, spec.inputs[0].name
    std = np.array(preprocess.image_std, np.float64)
    weight = np.diag(preprocess.rescale_factor / std)
    if preprocess.channel_order == "BGR":
        weight = weight[:, ::-1]
    bias = -np.array(preprocess.image_mean, np.float64) / std
    graph = model.graph
    taken = {each for node in graph.node for each in (*node.input, *node.output)}
    taken |= {each.name for each in graph.initializer}
    weights, biases, scaled = (_free(f"{FOLDED}/{each}", taken) for each in ("w", "b", "x"))
    for node in graph.node:
        for position, each in enumerate(node.input):
            if each == name:
                node.input[position] = scaled
    nodes = _nodes(preprocess, name, (weights, biases), scaled)
    for index, node in enumerate(nodes):
        graph.node.insert(index, node)
    for tensor, array in ((weights, weight[:, :, None, None]), (biases, bias)):
        graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), tensor))
    picture = next(value for value in graph.input if value.name == name)
    shape = [None if size == DYNAMIC else size for size in dims(picture) or ()]
    kind = picture.type.tensor_type.elem_type
    graph.value_info.append(helper.make_tensor_value_info(scaled, kind, shape))
    return model, msgspec.structs.replace(spec, preprocess=_of_pixels(preprocess))


def is_folded(preprocess: PreprocessSpec) -> bool:
    """Whether there is nothing left to take into a graph: what comes in is RGB or gray pixels."""
    return preprocess == _of_pixels(preprocess)


def _of_pixels(preprocess: PreprocessSpec) -> PreprocessSpec:
    return msgspec.structs.replace(
        preprocess,
        rescale_factor=1.0,
        image_mean=(0.0,) * preprocess.channels,
        image_std=(1.0,) * preprocess.channels,
        channel_order="GRAY" if preprocess.channel_order == "GRAY" else "RGB",
    )


def _nodes(
    preprocess: PreprocessSpec, name: str, constants: tuple[str, str], scaled: str
) -> list[NodeProto]:
    from onnx import helper

    if preprocess.layout == "NCHW":
        return [helper.make_node("Conv", [name, *constants], [scaled], FOLDED)]
    first, last = f"{scaled}/first", f"{scaled}/last"
    return [
        helper.make_node("Transpose", [name], [first], FOLDED_IN, perm=[0, 3, 1, 2]),
        helper.make_node("Conv", [first, *constants], [last], FOLDED),
        helper.make_node("Transpose", [last], [scaled], f"{FOLDED}/out", perm=[0, 2, 3, 1]),
    ]


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name
