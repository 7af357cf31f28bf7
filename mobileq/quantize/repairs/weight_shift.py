"""Takes out of each bias what rounding the weights before it adds to the mean of an output channel.

A filter whose weights nearly cancel, over activations that are never negative, sums up the errors
of its weights: W' x - W x has a mean that no later layer takes away. A convolution is linear, so
that mean is the convolution by W' - W, averaged, and is measured in the float model, all layers at
once. What clipped activations shift stays: it is made by few large values, and to take it out moves
all others.

Source: Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
section 4.2: E[y'] - E[y] = (W' - W) E[x], with E[x] of samples in place of batch normalization's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from mobileq.graph.eight_bits import channel_axis
from mobileq.graph.outline import attribute, constants
from mobileq.graph.prune import prune
from mobileq.onnx_runtime.sweep import sweep
from mobileq.progress import Progress, tracked
from mobileq.quantize.groups import find_groups
from mobileq.quantize.repairs.layerwise import with_eight_bits
from mobileq.quantize.repairs.weight_twins import twin
from mobileq.spec import TensorRanges

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

    Constants = Mapping[str, NDArray[Any]]
    Feeds = Mapping[str, NDArray[Any]]
    Shift = NDArray[np.float64]

_SAMPLES: Final = 24
_BIASED: Final = frozenset({"Conv", "ConvTranspose", "Gemm"})
_SHIFT: Final = "/weight shift"


def correct_weight_shift(
    model: ModelProto,
    samples: Iterable[Feeds],
    ranges: TensorRanges,
    keep_float: Collection[str],
    progress: Progress,
) -> ModelProto:
    """The model with the biases corrected of layers with 8-bit weights; these are as they were.

    Args:
        keep_float: Names of the groups (see `find_groups`) that stay float.
        As of `weight_shifts`.
    """
    from onnx import ModelProto

    made = ModelProto()
    made.CopyFrom(model)
    makers = {name: node for node in made.graph.node for name in node.output}
    for name, shift in weight_shifts(model, samples, ranges, keep_float, progress).items():
        made.graph.initializer.append(without_shift(made.graph, makers[name], shift))
    prune(made.graph)
    return made


def weight_shifts(
    model: ModelProto,
    samples: Iterable[Feeds],
    ranges: TensorRanges,
    keep_float: Collection[str],
    progress: Progress,
) -> dict[str, Shift]:
    """{output of a layer: what rounding its weights adds to its channels on average, [channels]}

    Args:
        model: The prepared float model.
        samples: A few inputs, the first of which are used.
        ranges: Of its activations. An op with a tensor that has none is run in float.
        keep_float: Names of the groups that stay float.
    """
    import numpy as np

    known = constants(model.graph)
    layers = _layers(model, ranges, keep_float, known)
    if not layers:
        return {}
    runs = sweep(_measuring(model, layers, known), islice(samples, _SAMPLES))
    found: dict[str, list[Shift]] = {}
    for _, outputs in tracked(runs, progress, "Weight shift", None):
        for name, value in outputs.items():
            mean = value.reshape(len(value), -1).mean(axis=0, dtype=np.float64)
            found.setdefault(name, []).append(mean)
    return {name.removesuffix(_SHIFT): np.mean(each, axis=0) for name, each in found.items()}


def shifted_layers(model: ModelProto, ranges: TensorRanges) -> set[str]:
    """Outputs of the layers whose biases take the shift, if nothing stays float."""
    return {node.output[0] for node in _layers(model, ranges, (), constants(model.graph))}


def without_shift(graph: GraphProto, node: NodeProto, shift: Shift) -> TensorProto:
    """A new bias for the node, which takes it from now on.

    Args:
        graph: With the bias that it has.
    """
    from onnx import numpy_helper

    old = node.input[2] if len(node.input) > 2 else ""
    values = next((numpy_helper.to_array(t) for t in graph.initializer if t.name == old), 0.0)
    name = f"{old or node.output[0]}/shifted for {node.output[0]}"
    del node.input[2:]
    node.input.append(name)
    return numpy_helper.from_array((values - shift).astype("float32"), name)


def _layers(
    model: ModelProto, ranges: TensorRanges, keep_float: Collection[str], known: Constants
) -> list[NodeProto]:
    """Those with 8-bit weights, and a bias of their own or none."""
    found = []
    for group in with_eight_bits(find_groups(model), keep_float):
        if not all(name in ranges for name in (*group.inputs, *group.tensors)):
            continue
        node = model.graph.node[group.nodes[0]]
        if node.op_type in _BIASED and node.input[1] == group.weights and _is_plain(node, known):
            found.append(node)
    return found


def _is_plain(node: NodeProto, known: Constants) -> bool:
    """Whether the bias is added as it is, one number for each output channel."""
    name = node.input[2] if len(node.input) > 2 else ""
    factor = attribute(node, "beta")
    if name not in known or (factor is not None and factor.f != 1.0):
        return not name
    return node.op_type != "Gemm" or known[name].shape == _channels(node, known)


def _channels(node: NodeProto, known: Constants) -> tuple[int, ...]:
    weights = known[node.input[1]]
    return (weights.shape[channel_axis(node, weights.ndim)],)


def _measuring(model: ModelProto, layers: Iterable[NodeProto], known: Constants) -> ModelProto:
    """Beside each layer one with the errors of its weights, and nothing but means of these."""
    from onnx import ModelProto, TensorProto, helper

    made = ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    del graph.output[:]
    for layer in layers:
        name, pooled = f"{layer.output[0]}{_SHIFT}", layer.op_type != "Gemm"
        places = f"{name}/places" if pooled else name
        node, errors = twin(layer, known[layer.input[1]], places)
        graph.node.append(node)
        graph.initializer.append(errors)
        if pooled:
            graph.node.append(helper.make_node("GlobalAveragePool", [places], [name]))
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return made
