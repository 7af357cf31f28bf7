"""What quantizing a tensor costs, told from its histogram."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mobileq.calibration.observers import TensorStatistics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Function = Callable[[NDArray[np.float32]], NDArray[np.float32]]

_MAX_BINS = 2048


class ErrorModel:
    """Expected squared error per value of asymmetric quantization with `2**bits` levels.

    Values are taken as spread evenly over their bin. Histograms are made coarser first, to at most
    2048 bins: still at least four to a level of 8 bits.

    Args:
        tensor: What is quantized.
        bits: At most 8 for histograms as they are.
        function: All that the values are used for; then the error is that of its result.

    Attributes:
        top: The highest quantized value; the lowest is 0.
        power: Mean square of the values.
    """

    def __init__(
        self, tensor: TensorStatistics, bits: int, function: Function | None = None
    ) -> None:
        import numpy as np

        histogram = tensor.histogram
        counts, first, width = histogram.counts, histogram.first, histogram.width
        while len(counts) > _MAX_BINS:
            counts = np.concatenate([np.zeros(first % 2), counts])  # to begin with an even bin
            counts = np.add.reduceat(counts, np.arange(0, len(counts), 2))
            first, width = first // 2, 2 * width
        used = np.flatnonzero(counts)
        # In bins, not real values: then nothing is ever too small or too large.
        self._values = np.clip(first + used + 0.5, tensor.min / width, tensor.max / width)
        self._weights = counts[used] / counts.sum()
        self._width = width
        self.top = 2**bits - 1
        self.power = self._real(float(self._weights @ self._values**2) + 1 / 12)
        self._function = function
        if function is not None:
            self._results = self._apply(function, self._values)
            rise = self._apply(function, self._values + 0.5)
            self._slopes = rise - self._apply(function, self._values - 0.5)

    def grid(self, low: float, high: float) -> tuple[float, int]:
        """(scale, zero point) of a range that includes zero."""
        scale = (high - low) / self.top
        if scale == 0:
            return self._width, 0
        return scale, round(-low / scale)

    def errors(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each range that includes zero and is more than that."""
        import numpy as np

        scale = (high - low) / self.top
        error: NDArray[np.float64] = self.error(scale, np.round(-low / scale))
        return error

    def error(
        self, scale: NDArray[np.float64] | float, zero_point: NDArray[np.float64] | int
    ) -> NDArray[np.float64]:
        """Of each scale and zero point."""
        import numpy as np

        step = np.asarray(scale)[..., None] / self._width
        zero = np.asarray(zero_point)[..., None]
        wanted = self._values / step
        levels = np.rint(wanted)
        clipped = np.clip(levels, -zero, self.top - zero)
        if self._function is not None:
            return self._error_of_results(step, levels, clipped)
        squares = np.subtract(clipped, wanted, out=wanted)
        squares *= squares
        squares *= step
        squares *= step
        squares += 1 / 12
        if np.any(step < 1):
            # In a bin wider than a level the middle says nothing of the rounding of the others.
            wide = (step < 1) & (clipped == levels)
            squares = np.where(wide, step * step / 12, squares)
        error: NDArray[np.float64] = self._real(squares @ self._weights)
        return error

    def _error_of_results(
        self, step: NDArray[np.float64], levels: NDArray[np.float64], clipped: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        import numpy as np

        assert self._function is not None
        squares = (self._apply(self._function, clipped * step) - self._results) ** 2
        spread = self._slopes**2 / 12
        squares += spread
        if np.any(step < 1):
            wide = (step < 1) & (clipped == levels)
            squares = np.where(wide, spread * step * step, squares)
        error: NDArray[np.float64] = squares @ self._weights
        return error

    def _apply(self, function: Function, in_bins: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of real values that are given in bins."""
        import numpy as np

        real = (in_bins * self._width).astype(np.float32)
        return function(real).astype(np.float64)

    def best_scale(self, scale: float, zero_point: int) -> float:
        """The scale with the least error for the integers that `scale` gives."""
        import numpy as np

        levels = np.rint(self._values * (self._width / scale))
        levels = np.clip(levels, -zero_point, self.top - zero_point)
        square = float(self._weights @ (levels * levels))
        if square == 0:
            return scale
        return float(self._weights @ (levels * self._values)) / square * self._width

    def _real[Number: (float, NDArray[np.float64])](self, in_bins: Number) -> Number:
        """From squared bins to squared real values."""
        return in_bins * self._width * self._width
