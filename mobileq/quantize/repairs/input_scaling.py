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
from typing import TYPE_CHECKING, Any, Final

from mobileq.calibration.statistics import Statistics, collect
from mobileq.graph.shapes import value_counts
from mobileq.progress import Progress
from mobileq.quantize.repairs.channel_extents import Extent, channel_extents
from mobileq.quantize.repairs.channel_noise import SignalNoise, TaskNoise, of_tensor
from mobileq.quantize.repairs.spans import Channels, Span

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
LEAST_SHARE: Final = 0.01
"""Of the task's error that all spans' tensors add, which is to be taken away for one op more, or
where others share a scale; and,"""
LEAST_BY_VALUES: Final = 2.0
"""for an op more, how many times its share of all values that ops give: it takes time by these."""


def scale_inputs(
    model: ModelProto, statistics: Statistics, squares: Mapping[str, Vector] | None = None
) -> ModelProto:
    """The same function with the channels scaled where that takes noise away.

    Args:
        model: The prepared float model; left as it is.
        statistics: Of its activations; see `channel_statistics`.
        squares: What each channel of a tensor counts, if that is known; see `channel_squares`.
            Without it all values of all channels count alike.
    """
    from onnx import ModelProto

    made = ModelProto()
    made.CopyFrom(model)
    channels = Channels(made)
    extents = channel_extents(channels, statistics)
    scaling = _Scaling(channels, extents, squares or {}, value_counts(model) if squares else {})
    scaling.scale()
    for span in scaling.others:
        factors, before, after = SignalNoise(channels, span, scaling.extents).best()
        gain = before / after if after > 0 else 1.0
        if gain >= (LEAST_HARD_GAIN if span.gates or span.is_shared else LEAST_GAIN):
            scaling.apply(span, factors)
    return made


def channel_statistics(
    model: ModelProto, samples: Iterable[Feeds], progress: Progress
) -> Statistics:
    """What `scale_inputs` has to know.

    Args:
        samples: A few inputs; 8 show the channels' ranges well enough.

    Raises: As `collect`.
    """
    if not (measured := Channels(model).measured):
        return Statistics({}, 0)
    return collect(model.SerializeToString(), measured, samples, progress)


def tensors_of(model: ModelProto) -> set[str]:
    """Whose `squares` are wanted: what spans begin with, and what their users take and give."""
    channels = Channels(model)
    return {
        name
        for span in channels.spans
        for user in span.users
        for name in (span.source, user, channels.taken(user))
    }


class _Scaling:
    """Of a model's spans, the one first that takes most of the task's error away."""

    def __init__(
        self,
        channels: Channels,
        extents: Mapping[str, Extent],
        squares: Mapping[str, Vector],
        counts: Mapping[str, int],
    ) -> None:
        self._channels, self.extents, self._squares = channels, dict(extents), dict(squares)
        self._counts, self._all_values = counts, max(1, sum(counts.values()))
        measured = [span for span in channels.spans if self._measured(span) <= extents.keys()]
        alive = [span for span in measured if extents[span.source].reach.max() > 0]
        known = [span for span in alive if self._tensors(span) <= squares.keys()]
        self._spans = {span.source: span for span in known}
        self.others = [span for span in alive if span.source not in self._spans]
        """Of which it is not known what they count."""
        self._found: dict[str, tuple[Vector, float, float]] = {}

    def scale(self) -> None:
        """Work on the model."""
        while (span := self._next()) is not None:
            self.apply(span, self._found[span.source][0])
            del self._spans[span.source]
            for each in self._spans.values():
                if not self._measured(span).isdisjoint(self._tensors(each)):
                    self._found.pop(each.source, None)

    def apply(self, span: Span, factors: Vector) -> None:
        """Multiply the channels of a span."""
        self._channels.scale(span, factors)
        for name in self._measured(span):
            spread = span.spread(name, factors)
            self.extents[name] = self.extents[name].scaled(spread)
            if name in self._squares:
                self._squares[name] = self._squares[name] / spread**2

    def _next(self) -> Span | None:
        """Which is worth it."""
        known = self.extents.keys() & self._squares.keys()
        total = sum(of_tensor(self.extents[name], self._squares[name]) for name in known)
        worth = {}
        for source, span in self._spans.items():
            if source not in self._found:
                noise = TaskNoise(self._channels, span, self.extents, self._squares)
                self._found[source] = noise.best()
            _, before, after = self._found[source]
            least = self._least_share(span) * total or (1 - 1 / LEAST_GAIN) * before
            if before - after > least:
                worth[source] = before - after
        return self._spans[max(worth, key=lambda each: worth[each])] if worth else None

    def _least_share(self, span: Span) -> float:
        """Of the error, that is to be taken away; 0 where it costs nothing."""
        if not span.gates:
            return LEAST_SHARE if span.is_shared else 0.0
        added = len(span.gates) * self._counts.get(span.source, 0) / self._all_values
        return max(LEAST_SHARE, LEAST_BY_VALUES * added)

    def _measured(self, span: Span) -> set[str]:
        return {span.source, *(self._channels.taken(user) for user in span.users)}

    def _tensors(self, span: Span) -> set[str]:
        return self._measured(span).union(span.users)
