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
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from mobileq.onnx_runtime import SessionOptions, open_session
from mobileq.progress import Progress, tracked
from mobileq.quantize.repairs.spans import OTHERS, Channels, Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto

    Feeds = Mapping[str, NDArray[Any]]
    Vector = NDArray[np.float64]

LEAST_GAIN: Final = 1.1
"""Noise power before by noise power after; less is not worth a change,"""
LEAST_HARD_GAIN: Final = 8.0
"""nor is this where it costs one op more, or where channels of others share a tensor's scale (of
nanodet's shuffled channels 1.2 to 2.6 times less was expected, and nothing gained)."""
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
    """Per channel of a tensor: how far from zero it matters, and its mean square."""

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
    extents = _extents(made, channels, samples, progress)
    for span in channels.spans:
        if extents[span.source].reach.max() == 0:
            continue
        factors, gain = _Noise(channels, span, extents).best()
        if gain >= (LEAST_HARD_GAIN if span.gates or span.is_shared else LEAST_GAIN):
            channels.scale(span, factors)
            for name in {channels.taken(user) for user in span.users}:
                scaled, before = span.spread(name, factors), extents[name]
                extents[name] = _Extent(before.reach * scaled, before.power * scaled**2)
    return made


class _Noise:
    """What rounding a span's channels, and the weights that take them, adds to what these give.

    Channels of others beside them are as they are; their factors, if any, are in `extents`.
    """

    def __init__(self, channels: Channels, span: Span, extents: Mapping[str, _Extent]) -> None:
        import numpy as np

        self._channels, self._span = channels, span
        self._reach = extents[span.source].reach
        self._taken: dict[str, _Extent] = {}
        self._beside = 0.0
        """How far others reach."""
        for user in span.users:
            name = channels.taken(user)
            places, extent = span.places[name], extents[name]
            others = places == OTHERS
            self._beside = max(self._beside, extent.reach.max(initial=0.0, where=others))
            reach = np.where(others, extent.reach, self._reach[places])
            self._taken[user] = _Extent(reach, extent.power)

    def best(self) -> tuple[Vector, float]:
        """The factors that leave the least noise, and how much of it they take away."""
        import numpy as np

        reach = self._reach
        ratio = reach.max() / np.maximum(reach, reach.max() / _LARGEST_FACTOR)
        best, before = np.ones_like(ratio), self._of(np.ones_like(ratio))
        least = before
        # As far as the widest channel reaches; as far as others do that share a tensor's scale.
        beside = np.clip(self._beside / reach.max(), 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
        levels = (1.0, beside) if self._beside else (1.0,)
        for level, strength in product(levels, _STRENGTHS):
            factors = ratio**strength * level
            noise = self._of(factors)
            if noise < least:
                best, least = factors, noise
        return best, before / least if least > 0 else 1.0

    def _of(self, factors: Vector) -> float:
        """By the users' signal. Rounding to steps d makes noise of power d^2 / 12."""
        own = (self._reach * factors).max() / _LEVELS
        return sum(self._of_user(user, factors, own) for user in self._span.users)

    def _of_user(self, user: str, factors: Vector, own: float) -> float:
        """Args: own: The step of what the span begins with."""
        import numpy as np

        channels, extent, name = self._channels, self._taken[user], self._channels.taken(user)
        spread = self._span.spread(name, factors)
        step = (extent.reach * spread).max() / _LEVELS
        squares = channels.columns(user).astype(np.float64)
        squares /= spread[:, None]
        squares **= 2
        group = channels.group(user)
        power = extent.power * spread**2
        # Rounded where they begin, and in the tensor that is taken.
        steps = np.where(self._span.places[name] == OTHERS, step, own) ** 2 / 2 + step**2 / 2
        from_activation = float(steps @ squares.sum(axis=1))
        squares *= power[:, None]
        signal = float(squares.sum())
        del squares  # there are a few copies of large weights as it is
        # Steps of the weights are per output channel: of each group, over its inputs and places.
        weights = channels.weights(user).astype(np.float64)
        inputs = spread.reshape(group, 1, -1, *[1] * (weights.ndim - 2))
        split = weights.reshape(group, -1, *weights.shape[1:])
        split /= inputs
        rows = np.abs(split, out=split).max(axis=tuple(range(2, split.ndim))) / _CODES
        places = float(np.prod(weights.shape[2:]))
        from_weights = places * float(
            ((rows**2).sum(axis=1) * power.reshape(group, -1).sum(axis=1)).sum()
        )
        return (from_activation + from_weights) / max(signal, 1e-30)


def _extents(
    model: ModelProto, channels: Channels, samples: Iterable[Feeds], progress: Progress
) -> dict[str, _Extent]:
    """Of what each span begins with, and what its users take, by tensor, over the samples."""
    import numpy as np

    if not channels.spans:
        return {}
    taken = {channels.taken(user) for span in channels.spans for user in span.users}
    gated = {span.source for span in channels.spans if span.gates}
    sources = {span.source for span in channels.spans}
    session = open_session(_measured(model, sorted(taken | sources)), SessionOptions())
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
    for tensor, squares in power.items():
        bottom = low[tensor]
        if tensor in gated:
            bottom = np.maximum(bottom, _SILENT)
        found[tensor] = _Extent(np.maximum(high[tensor], -bottom), np.mean(squares, axis=0))
    return found


def _measured(model: ModelProto, tensors: Iterable[str]) -> ModelProto:
    """A model that gives the tensors' extremes and mean squares per channel, and nothing else."""
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

    for tensor in tensors:
        reduce("ReduceMin", tensor, f"low:{tensor}")
        reduce("ReduceMax", tensor, f"high:{tensor}")
        squares = f"squares:{tensor}"
        graph.node.append(helper.make_node("Mul", [tensor, tensor], [squares]))
        reduce("ReduceMean", squares, f"power:{tensor}")
    return made
