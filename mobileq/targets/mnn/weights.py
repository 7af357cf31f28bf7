"""Weights of convolutions in 8 bits, as MNN reads them back.

MNN's own converter (3.6.1, `--weightQuantBits 8`) gives a channel whose scale is below 1e-6 a scale
of zero: yolox_nano, whose stem has such channels with large weights behind them, falls from .374 to
.289 mAP. So the integers are made here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mobileq.graph.eight_bits import LARGEST_WEIGHT, enough_for_codes
from mobileq.targets.mnn.graph import Convolution

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    _Codes = tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.float64]]
    """Codes [channels, others], zero-points and scales [channels, 1]."""

PLAIN_INT8 = 4
"""`IDSTQuan.type`: one byte a weight. Others are packed into a table of the values that occur."""
_FLOAT16 = 3
_HALF_STEP = 2.0**-10
_SMALLEST_SCALE = 1e-30
_FRACTIONS = 26
_AT_ONCE = 2**20
"""Weights."""


def store_of_float(convolution: Convolution, total: int, *, repaired: bool) -> None:
    """Weights of a convolution that stays float in a model with `total` weights.

    Few weights that float16 can't hold stay float32. In 8 bits, as they were before, the stem of
    efficientnet_lite0, of which four channels are next to nothing, made most of its int8 file's
    errors.

    Args:
        repaired: Whether weights or biases were made for weights that are rounded symmetrically.
    """
    if convolution.weights.size >= enough_for_codes(total):
        (store_as_repaired if repaired else store_asymmetric)(convolution)
    elif _fits_half(convolution):
        main = convolution.op["main"]
        codes = main.pop("weight").astype("<f2").view("i1")
        main["quanParameter"] = {"buffer": codes, "type": _FLOAT16}


def _fits_half(convolution: Convolution) -> bool:
    """Whether float16 holds each channel's weights to its precision: not where all are tiny."""
    import numpy as np

    weights = convolution.weights
    with np.errstate(over="ignore"):
        error = np.abs(weights.astype(np.float16) - weights).max(axis=1)
    return bool((error <= _HALF_STEP * np.abs(weights).max(axis=1)).all())


def store_asymmetric(convolution: Convolution) -> None:
    """Weights in 8 bits, computed with in float, as in `w8`."""
    _store(convolution, _asymmetric)


def store_as_repaired(convolution: Convolution) -> None:
    """As `store_asymmetric`, with the codes that `mobileq.quantize.repairs` reckon with.

    Asymmetric ones would round once more what was rounded so that errors cancel.
    """
    _store(convolution, _as_repaired)


def _store(convolution: Convolution, coded: Callable[[NDArray[np.float64]], _Codes]) -> None:
    import numpy as np

    made = [coded(block) for block in _blocks(convolution)]
    codes, zero, scale = (np.concatenate(parts) for parts in zip(*made, strict=True))
    main = convolution.op["main"]
    del main["weight"]
    main["quanParameter"] = {
        "buffer": codes.ravel(),
        # For each channel: the value of the lowest code, and the step.
        "alpha": np.hstack([-zero * scale, scale]).ravel(),
        "type": PLAIN_INT8,
        "quantScale": 1.0,  # 0 means an older form
        "aMaxOrBits": 8,
        "aMin": -128,
        "readType": len(codes),  # not 0: asymmetric
    }


def _as_repaired(weights: NDArray[np.float64]) -> _Codes:
    """Whole multiples of a 127th of the largest: the same as other targets'."""
    import numpy as np

    largest = np.abs(weights).max(axis=1, keepdims=True)
    scale = np.maximum(largest / LARGEST_WEIGHT, _SMALLEST_SCALE)
    codes = np.round(weights / scale).astype(np.int8)
    return codes, np.full_like(scale, 128), scale


def _asymmetric(weights: NDArray[np.float64]) -> _Codes:
    import numpy as np

    low = np.minimum(weights.min(axis=1, keepdims=True), 0.0)
    high = np.maximum(weights.max(axis=1, keepdims=True), 0.0)
    scale = np.maximum((high - low) / 255, _SMALLEST_SCALE)
    # Zero stays zero: many weights are.
    zero = np.round(-low / scale)
    codes = np.clip(np.round(weights / scale) + zero, 0, 255) - 128
    return codes.astype(np.int8), zero, scale


def symmetric(convolution: Convolution) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Codes [channels, others] and scales [channels] with the least squared error each.

    The largest weight may be clipped where the rounding errors of the others shrink by more. At the
    outputs of yolov5n and yolox_nano it makes 0.1 dB.
    """
    import numpy as np

    made = [_symmetric(block) for block in _blocks(convolution)]
    codes, scales = (np.concatenate(parts) for parts in zip(*made, strict=True))
    return codes, scales


def _symmetric(weights: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    import numpy as np

    largest = np.maximum(np.abs(weights).max(axis=1), _SMALLEST_SCALE * 127)
    least = np.full(len(weights), np.inf)
    best = largest / 127
    for fraction in np.linspace(0.5, 1.0, _FRACTIONS):
        scale = (largest * fraction / 127)[:, np.newaxis]
        error = ((np.clip(np.round(weights / scale), -127, 127) * scale - weights) ** 2).sum(axis=1)
        better = error <= least
        least[better] = error[better]
        best[better] = scale[better, 0]
    codes = np.clip(np.round(weights / best[:, np.newaxis]), -127, 127)
    return codes.astype(np.int8), best


def _blocks(convolution: Convolution) -> Iterator[NDArray[np.float64]]:
    """Weights [channels, others] of some channels at a time, whose copies take little memory."""
    import numpy as np

    weights = convolution.weights
    rows = max(1, _AT_ONCE // weights.shape[1])
    for start in range(0, len(weights), rows):
        yield weights[start : start + rows].astype(np.float64)
