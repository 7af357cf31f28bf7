"""What rounding a span's channels adds to what follows, with other factors than they have."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from itertools import product
from typing import TYPE_CHECKING, Final

from mobileq.quantize.repairs.spans import OTHERS, Channels, Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mobileq.quantize.repairs.channel_extents import Extent

    Vector = NDArray[np.float64]
    Array = NDArray[np.float32]

_LARGEST_FACTOR: Final = 1000.0
_LEVELS: Final = 255.0
_CODES: Final = 127.0
_MARGIN: Final = 2.0
"""How many times as far as on the samples a channel may reach at least."""
_EXACT: Final = 1e-4
"""Of the squares of steps, of which rounding makes a twelfth. Codes times a float32 scale are off
by less."""
_UNIFORM: Final = 12.0
"""Rounding to steps d makes noise of power d^2 / 12."""


class ChannelNoise(ABC):
    """Of one span, by its factors.

    Channels of others beside them are as they are; their factors, if any, are in `extents`.
    """

    def __init__(self, channels: Channels, span: Span, extents: Mapping[str, Extent]) -> None:
        self.channels, self.span, self.extents = channels, span, extents
        self.reach = extents[span.source].reach
        self.taken = {user: channels.taken(user) for user in span.users}

    @abstractmethod
    def of(self, factors: Vector) -> float:
        """What these add."""

    @abstractmethod
    def shapes(self, ratio: Vector) -> Iterable[Vector]:
        """Factors that are tried.

        Args:
            ratio: How many times as far as a channel the widest reaches.
        """

    def best(self) -> tuple[Vector, float, float]:
        """The factors that add least, what the span adds without any, and with them."""
        import numpy as np

        reach, beside = self.reach, self._beside()
        ratio = reach.max() / np.maximum(reach, reach.max() / _LARGEST_FACTOR)
        best = np.ones_like(ratio)
        before = least = self.of(best)
        # As far as the widest channel reaches; as far as others do that share a tensor's scale.
        levels = [1.0]
        if beside:
            level = np.clip(beside / reach.max(), 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
            levels.append(float(level))
        for level, each in product(levels, self.shapes(ratio)):
            factors = each * level
            noise = self.of(factors)
            if noise < least:
                best, least = factors, noise
        return best, before, least

    def _beside(self) -> float:
        """How far others reach."""
        return max(
            float(self.extents[name].reach.max(initial=0.0, where=self.span.places[name] == OTHERS))
            for name in self.taken.values()
        )

    def divided(self, user: str, spread: Vector) -> Vector:
        """A user's weights, which take each channel by its factor: [groups, outputs of each, inputs
        of each, ...]."""
        import numpy as np

        weights, group = self.channels.weights(user), self.channels.group(user)
        split = weights.astype(np.float64).reshape(group, -1, *weights.shape[1:])
        split /= spread.reshape(group, 1, -1, *[1] * (weights.ndim - 2))
        return split


class SignalNoise(ChannelNoise):
    """In parts of the signal of the convolutions that take the channels."""

    def shapes(self, ratio: Vector) -> Iterable[Vector]:
        """Up to all equally wide."""
        return [ratio**strength for strength in (0.25, 0.5, 0.75, 1.0)]

    def of(self, factors: Vector) -> float:
        """All values count alike."""
        own = (self.reach * factors).max() / _LEVELS
        return sum(self._of_user(user, factors, own) for user in self.span.users)

    def _of_user(self, user: str, factors: Vector, own: float) -> float:
        """Args: own: The step of what the span begins with."""
        import numpy as np

        name = self.taken[user]
        extent, others = self.extents[name], self.span.places[name] == OTHERS
        spread = self.span.spread(name, factors)
        reach = np.where(others, extent.reach, self.reach[self.span.places[name]])
        step = (reach * spread).max() / _LEVELS
        squares = self.channels.columns(user).astype(np.float64)
        squares /= spread[:, None]
        squares **= 2
        power = extent.power * spread**2
        # Rounded where they begin, and in the tensor that is taken.
        steps = np.where(others, step, own) ** 2 / 2 + step**2 / 2
        from_activation = float(steps @ squares.sum(axis=1))
        squares *= power[:, None]
        signal = float(squares.sum())
        del squares  # there are a few copies of large weights as it is
        # Steps of the weights are per output channel: of each group, over its inputs and places.
        split = self.divided(user, spread)
        places = float(np.prod(split.shape[3:]))
        split = np.abs(split, out=split)
        rows = split.max(axis=tuple(range(2, split.ndim))) / _CODES
        groups = power.reshape(len(split), -1).sum(axis=1)
        from_weights = places * float(((rows**2).sum(axis=1) * groups).sum())
        return (from_activation + from_weights) / max(signal, 1e-30)


class TaskNoise(ChannelNoise):
    """In the task's error, as `mobileq.quantize.fisher` expects it.

    Args:
        squares: Of each channel of what the span begins with, of what its users take and of what
            they give: the sum of its squared gradients in a sample. See `channel_squares`.
    """

    def __init__(
        self,
        channels: Channels,
        span: Span,
        extents: Mapping[str, Extent],
        squares: Mapping[str, Vector],
    ) -> None:
        super().__init__(channels, span, extents)
        self._squares = squares
        plain = {user: span.spread(name, self.reach * 0 + 1) for user, name in self.taken.items()}
        self._on_grid = {
            user for user, ones in plain.items() if self._is_exact(*self._rounded(user, ones))
        }

    def shapes(self, ratio: Vector) -> Iterable[Vector]:
        """With all channels equally wide those of other pictures go beyond: on pictures that did
        not calibrate yolov5n's last layers were off by up to sixty times as much as before."""
        import numpy as np

        some = np.maximum(ratio / _MARGIN, 1.0)
        yield from (ratio**0.25, ratio**0.5)
        yield from (some**0.5, some**0.75, some)

    def of(self, factors: Vector) -> float:
        """Infinite where weights lie on a grid (of a model that was in integers) that factors would
        take them from: it costs more than is expected, and they can't be fitted as well. Of
        yolov8n_320_deq's int8-full, on 63 pictures, the logarithm of the error +.39 (.14)."""
        span = self.span
        added = of_tensor(self.extents[span.source], self._squares[span.source], factors)
        for name in {*self.taken.values()} - {span.source}:
            spread = span.spread(name, factors)
            added += of_tensor(self.extents[name], self._squares[name], spread)
        return added + sum(self._of_weights(user, factors) for user in span.users)

    def _of_weights(self, user: str, factors: Vector) -> float:
        name = self.taken[user]
        spread = self.span.spread(name, factors)
        off, steps = self._rounded(user, spread)
        if user in self._on_grid and not self._is_exact(off, steps):
            return math.inf
        power = (self.extents[name].power * spread**2).reshape(len(off), 1, -1)
        by_output = (off.reshape(*off.shape[:3], -1).sum(axis=3) * power).sum(axis=2)
        return float((by_output * self._squares[user].reshape(by_output.shape)).sum())

    def _rounded(self, user: str, spread: Vector) -> tuple[Vector, Vector]:
        """The squares of what its weights are off, as `divided` has them, and the steps."""
        import numpy as np

        split = self.divided(user, spread)
        steps = np.abs(split).max(axis=tuple(range(2, split.ndim)), keepdims=True) / _CODES
        steps[steps == 0] = 1.0
        return (np.round(split / steps) * steps - split) ** 2, steps

    def _is_exact(self, off: Vector, steps: Vector) -> bool:
        return bool(off.mean() <= _EXACT * (steps**2).mean())


def of_tensor(extent: Extent, squares: Vector, factors: Vector | float = 1.0) -> float:
    """What rounding a tensor whose channels get these factors adds to the task's error."""
    step = (extent.reach * factors).max() / _LEVELS
    return float(step**2 / _UNIFORM * (squares / factors**2).sum())
