"""Watch activations, one sample at a time, and remember little: memory does not grow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MinMaxObserver:
    """The smallest and largest value of each tensor over all samples.

    Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", section 3.1 (without the moving average).
    """

    def __init__(self) -> None:
        self._ranges: dict[str, tuple[float, float]] = {}

    def update(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Take in one sample's {tensor name: float array}."""
        for name, array in tensors.items():
            if array.size == 0:
                continue
            low, high = float(array.min()), float(array.max())
            if name in self._ranges:
                low, high = min(low, self._ranges[name][0]), max(high, self._ranges[name][1])
            self._ranges[name] = low, high

    def ranges(self) -> dict[str, tuple[float, float]]:
        """{tensor name: (min, max)} over what was seen."""
        return dict(self._ranges)
