"""Takes out of each bias what rounding adds to the mean of its output channel.

The error of rounded weights and activations is not zero on average, and an activation function
turns some of its variance into a mean of its own. Both end up as a constant in each channel of the
next convolution, where a bias can take it out.

Source: Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
section 4.2 and appendix D (empirical bias correction): layer after layer, with those before it
quantized and corrected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.quantize.repairs.layerwise import Layer, rounded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]


def correct_bias(layer: Layer) -> tuple[Array, Array]:
    """The layer's weights, and its bias less the mean shift of each output channel."""
    weights = rounded(layer.weights)
    wanted = _means(layer.convolve(layer.wanted, layer.weights, layer.bias))
    found = _means(layer.convolve(layer.found, weights, layer.bias))
    return layer.weights, (layer.bias + wanted - found).astype("float32")


def _means(outputs: list[Array]) -> NDArray[np.float64]:
    """Of each channel, over samples and places."""
    import numpy as np

    means = [output.mean(axis=(0, 2, 3), dtype=np.float64) for output in outputs]
    result: NDArray[np.float64] = np.mean(means, axis=0)
    return result
