"""How far the outputs of a quantized model are from those of the float model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mobileq.spec import ModelSpec

if TYPE_CHECKING:
    import numpy.typing as npt

Outputs = Mapping[str, "npt.NDArray[Any]"]
Distance = Callable[[Outputs, Outputs], float]
"""(reference, found) of one sample -> error, 0 where they are the same; errors are averaged."""


def output_distance(spec: ModelSpec) -> Distance:
    """What counts for this model: its candidates where they can be compared, else plain noise."""
    decode, preprocess = spec.decode, spec.preprocess
    if decode is None or preprocess is None:
        return noise
    if decode.kind in ("end2end", "ssd") and decode.head != "raw":
        return noise  # sorted in the graph: rows can't be compared
    from mobileq.vision.candidate_error import candidate_error
    from mobileq.vision.decode import decode as candidates

    def distance(reference: Outputs, found: Outputs) -> float:
        # Of all cells, also those whose score noise makes less than nothing.
        whole = preprocess.width, preprocess.height, -math.inf
        error = candidate_error(
            candidates(decode, dict(reference), *whole), candidates(decode, dict(found), *whole)
        )
        return noise(reference, found) * _UNSEEN if error is None else error

    return distance


_NO_NUMBERS = 1e6
"""Share of outputs that hold NaN or infinity where the reference does not."""
_UNSEEN = 1e-3
"""A picture in which the float model sees nothing says little: its noise breaks ties only."""


def noise(reference: Outputs, found: Outputs) -> float:
    """Noise power over signal power, the mean of all outputs: 10^(-SQNR/10).

    Only what is finite in the reference is compared.
    """
    import numpy as np

    shares = []
    for name, wanted in reference.items():
        usable = np.isfinite(wanted)
        exact = wanted[usable].astype(np.float64)
        signal = float(np.square(exact).sum())
        error = float(np.square(found[name][usable] - exact).sum())
        if not math.isfinite(error):
            shares.append(_NO_NUMBERS)
        else:
            shares.append(error / signal if signal > 0.0 else float(error > 0.0))
    return sum(shares) / len(shares)
