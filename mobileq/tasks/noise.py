"""How far the outputs of another model are from those of the float model, in plain numbers."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileq.tasks.base import Compared, Outputs

_NO_NUMBERS = 1e6
"""Share of outputs that hold NaN or infinity where the reference does not."""


class NoiseReference:
    """The float model's outputs of one sample, which others are held against."""

    answer = None

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    @cached_property
    def _powers(self) -> dict[str, float]:
        """Few ask for them."""
        return {name: _power(values) for name, values in self._outputs.items()}

    def compare(self, found: Outputs) -> Compared:
        """Another model's outputs. Those that are the reference's own arrays cost nothing."""
        noise = self.noise(found)
        return Compared(noise, noise)

    def error(self, found: Outputs) -> float:
        """The noise."""
        return self.noise(found)

    def noise(self, found: Outputs) -> float:
        """Noise power over signal power, the mean of all outputs: 10^(-SQNR/10)."""
        shares = []
        for name, wanted in self._outputs.items():
            if found[name] is wanted:
                shares.append(0.0)
                continue
            with np.errstate(invalid="ignore", over="ignore"):
                difference = np.subtract(found[name], wanted, dtype=np.float32)
            if not math.isfinite(self._powers[name]):
                difference = difference[np.isfinite(wanted)]  # the float model has no numbers there
            error = _power(difference)
            if not math.isfinite(error):
                shares.append(_NO_NUMBERS)
                continue
            signal = self._powers[name]
            if not math.isfinite(signal):
                signal = _power(wanted[np.isfinite(wanted)])
            shares.append(error / signal if signal > 0.0 else float(error > 0.0))
        return sum(shares) / len(shares)

    def slopes(self, random: np.random.Generator) -> dict[str, npt.NDArray[np.float32]]:
        """See `Reference.slopes`."""
        return {name: self._slopes(values, random) for name, values in self._outputs.items()}

    def _slopes(
        self, values: npt.NDArray[Any], random: np.random.Generator
    ) -> npt.NDArray[np.float32]:
        known = np.isfinite(values)
        power = _power(values[known]) * len(self._outputs)
        if power == 0.0:
            return np.zeros(values.shape, np.float32)
        return np.where(known, rademacher(random, values.shape) / np.float32(math.sqrt(power)), 0)


def rademacher(random: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """-1 and 1, as likely and each by itself."""
    return random.integers(0, 2, shape, np.int8).astype(np.float32) * 2 - 1


def _power(values: npt.NDArray[Any]) -> float:
    flat = np.asarray(values, np.float32).reshape(-1)
    with np.errstate(over="ignore"):  # from 1.8e19 on: as good as no numbers
        return float(np.square(flat).sum(dtype=np.float64))
