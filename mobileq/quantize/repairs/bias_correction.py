"""Takes out of each bias what rounding adds to the mean of its output channel.

The error of rounded weights and activations is not zero on average, and an activation function
turns some of its variance into a mean of its own. Both end up as a constant in each channel of the
next convolution, where a bias can take it out.

Source: Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
section 4.2 and appendix D (empirical bias correction): layer after layer, with those before it
quantized and corrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mobileq.quantize.repairs.layerwise import Layer, rounded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]


def correct_bias(layer: Layer) -> tuple[Array, Array]:
    """The layer's weights, and its bias less the mean shift of each output channel."""
    return _shifted_from(layer, layer.wanted)


def correct_weight_shift(layer: Layer) -> tuple[Array, Array]:
    """The layer's weights, and its bias less what their rounding alone shifts each output channel.

    What clipped activations shift stays: it is made by few large values, and to take it out moves
    all others.
    """
    return _shifted_from(layer, layer.found)


def _shifted_from(layer: Layer, right: Sequence[Array]) -> tuple[Array, Array]:
    """With the bias that brings each channel's mean to that of float weights on `right`."""
    weights = rounded(layer.weights)
    wanted = _means(layer.convolve(right, layer.weights, layer.bias))
    found = _means(layer.convolve(layer.found, weights, layer.bias))
    return layer.weights, (layer.bias + wanted - found).astype("float32")


def _means(outputs: list[Array]) -> NDArray[np.float64]:
    """Of each channel, over samples and places."""
    import numpy as np

    means = [output.mean(axis=(0, 2, 3), dtype=np.float64) for output in outputs]
    result: NDArray[np.float64] = np.mean(means, axis=0)
    return result
