"""Gives the channels of an activation equal ranges, and takes their scales out in the next layer.

A tensor has one scale for all its channels, so one channel of +-130 leaves another of +-0.5 two
levels. Multiplied by their own factors in the convolution that makes them, all channels use all
levels; the convolutions that take them divide by the factors in their weights, whose scales are
per output channel. Depthwise convolutions lose nothing by that. In others it makes the weights
uneven, so the strength is chosen that gives the least noise in the next layer.

Source: Xiao et al. 2023, "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large
Language Models", section 4, whose migration strength is chosen here for each layer, by the noise of
uniform rounding. SiLU and HardSwish are passed as `mobileq.quantize.repairs.spans` describes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mobileq.onnx_runtime import SessionOptions, open_session
from mobileq.progress import Progress, tracked
from mobileq.quantize.repairs.spans import Channels, Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto

    Feeds = Mapping[str, NDArray[Any]]
    Vector = NDArray[np.float64]

LEAST_GAIN: Final = 1.1
"""Noise power before by noise power after; less is not worth a change,"""
LEAST_GATED_GAIN: Final = 8.0
"""nor is this where it costs one op more."""
_STRENGTHS: Final = (0.25, 0.5, 0.75, 1.0)
_SILENT: Final = -4.0
"""Below it x * sigmoid(x) is nearly nothing (-0.07), and x * hardsigmoid(x) is 0: what a channel
has there needs no levels of its own."""
_LARGEST_FACTOR: Final = 1000.0
_LEVELS: Final = 255.0
_CODES: Final = 127.0
_AXES: Final = "mobileq/axes"
_AXES_ARE_INPUT: Final = 18
"""The opset since which reductions take their axes as an input."""


@dataclass(frozen=True, eq=False)
class _Extent:
    """Per channel of a span: how far from zero it matters, and its mean square for the users."""

    reach: Vector
    power: Vector


def scale_inputs(model: ModelProto, samples: Iterable[Feeds], progress: Progress) -> ModelProto:
    """The same function with the channels scaled where that takes noise away.

    Args:
        model: The prepared float model; left as it is.
        samples: A few inputs; 8 show the channels' ranges well enough.
    """
    from onnx import ModelProto

    made = ModelProto()
    made.CopyFrom(model)
    channels = Channels(made)
    extents = _extents(made, channels.spans, samples, progress)
    for span in channels.spans:
        if span.source not in extents:
            continue
        factors, gain = _best(channels, span, extents[span.source])
        if gain >= (LEAST_GATED_GAIN if span.gates else LEAST_GAIN):
            channels.scale(span, factors)
    return made


def _best(channels: Channels, span: Span, extent: _Extent) -> tuple[Vector, float]:
    """The factors that leave the least noise, and how much of it they take away."""
    import numpy as np

    ratio = extent.reach.max() / np.maximum(extent.reach, extent.reach.max() / _LARGEST_FACTOR)
    best, before = np.ones_like(ratio), _noise(channels, span, extent, np.ones_like(ratio))
    least = before
    for strength in _STRENGTHS:
        factors = ratio**strength
        noise = _noise(channels, span, extent, factors)
        if noise < least:
            best, least = factors, noise
    return best, before / least if least > 0 else 1.0


def _noise(channels: Channels, span: Span, extent: _Extent, factors: Vector) -> float:
    """Power of rounding activations and weights in the users' outputs, each by its own signal's.

    Rounding to steps d makes noise of power d^2 / 12.
    """
    import numpy as np

    step = (extent.reach * factors).max() / _LEVELS
    total = 0.0
    for user in span.users:
        squares = channels.columns(user).astype(np.float64)
        squares /= factors[:, None]
        squares **= 2
        group = channels.group(user)
        power = extent.power * factors**2
        from_activation = step**2 * squares.sum()
        squares *= power[:, None]
        signal = float(squares.sum())
        del squares  # there are a few copies of large weights as it is
        # Steps of the weights are per output channel: of each group, over its inputs and places.
        weights = channels.weights(user).astype(np.float64)
        inputs = factors.reshape(group, 1, -1, *[1] * (weights.ndim - 2))
        split = weights.reshape(group, -1, *weights.shape[1:])
        split /= inputs
        rows = np.abs(split, out=split).max(axis=tuple(range(2, split.ndim))) / _CODES
        places = float(np.prod(weights.shape[2:]))
        from_weights = places * float(
            ((rows**2).sum(axis=1) * power.reshape(group, -1).sum(axis=1)).sum()
        )
        total += (from_activation + from_weights) / max(signal, 1e-30)
    return total


def _extents(
    model: ModelProto, spans: Iterable[Span], samples: Iterable[Feeds], progress: Progress
) -> dict[str, _Extent]:
    """Of each span, by its source, over the samples; spans with a dead layer are left out."""
    import numpy as np

    spans = tuple(spans)
    if not spans:
        return {}
    session = open_session(_measured(model, spans), SessionOptions())
    names = session.output_names
    low: dict[str, Vector] = {}
    high: dict[str, Vector] = {}
    power: dict[str, list[Vector]] = {}
    for feeds in tracked(samples, progress, "Measuring channels", None):
        for name, value in zip(names, session.run(names, dict(feeds)), strict=True):
            kind, tensor = name.split(":", 1)
            flat = value.reshape(-1).astype(np.float64)
            if kind == "low":
                low[tensor] = np.minimum(low.get(tensor, flat), flat)
            elif kind == "high":
                high[tensor] = np.maximum(high.get(tensor, flat), flat)
            else:
                power.setdefault(tensor, []).append(flat)
    found = {}
    for span in spans:
        bottom = low[span.source]
        if span.gates:
            bottom = np.maximum(bottom, _SILENT)
        reach = np.maximum(high[span.source], -bottom)
        if reach.max() > 0:
            found[span.source] = _Extent(reach, np.mean(power[span.source], axis=0))
    return found


def _measured(model: ModelProto, spans: Iterable[Span]) -> ModelProto:
    """A model that gives each span's extremes and mean square per channel, and nothing else."""
    import numpy as np
    from onnx import ModelProto, TensorProto, helper, numpy_helper

    made = ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    del graph.output[:]
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    graph.initializer.append(numpy_helper.from_array(np.array([0, 2, 3], np.int64), _AXES))

    def reduce(reduction: str, tensor: str, name: str) -> None:
        if opset >= _AXES_ARE_INPUT:
            node = helper.make_node(reduction, [tensor, _AXES], [name], keepdims=0)
        else:
            node = helper.make_node(reduction, [tensor], [name], axes=[0, 2, 3], keepdims=0)
        graph.node.append(node)
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))

    for span in spans:
        reduce("ReduceMin", span.source, f"low:{span.source}")
        reduce("ReduceMax", span.source, f"high:{span.source}")
        taken, squares = span.tensors[-1], f"squares:{span.source}"
        graph.node.append(helper.make_node("Mul", [taken, taken], [squares]))
        reduce("ReduceMean", squares, f"power:{span.source}")
    return made
