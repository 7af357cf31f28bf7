"""Weights that stay where they are, rounded so that their errors cancel about the mean.

What errors of weights add to the mean of an output channel a bias takes out exactly, so that the
rounding need not care for it: it looks at how the inputs vary, where otherwise their mean, large
behind a ReLU, outweighs all else. Nothing is fitted to the float model's outputs: with a few dozen
pictures the weights of a classifier's last layers learned these by heart.

Source: Frantar et al. 2022, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
Transformers", section 3, with covariances in place of second moments, and the bias as in Nagel et
al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.quantize.repairs.layerwise import Layer
from mobileq.quantize.repairs.weight_rounding import Window, compensated

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]


def round_about_means(layer: Layer) -> tuple[Array, Array]:
    """New weights, each a whole multiple of its output channel's scale, and the bias for them.

    The scale stays max |w| / 127, and the largest stays the largest: so a target that rounds the
    result finds the same scale and the same multiples.
    """
    import numpy as np

    found = Window.of(layer.node, layer.weights).patches(layer.found)
    means = found.mean(axis=1, dtype=np.float64)
    found -= means[:, None].astype(np.float32)
    covariances = (found.transpose(0, 2, 1) @ found).astype(np.float64) / found.shape[1]
    weights = layer.weights.reshape(len(found), -1, found.shape[2]).astype(np.float64)
    result = compensated(weights, covariances)
    shift = ((result - weights) @ means[:, :, None]).reshape(-1)
    rounded = result.reshape(layer.weights.shape).astype(np.float32)
    return rounded, (layer.bias - shift).astype(np.float32)
