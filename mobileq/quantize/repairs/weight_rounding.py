"""Weights fitted to what the int8 model really feeds a layer, and rounded one after the other.

First the weights are moved, by regularised least squares, to where they make of the int8 model's
inputs what the float weights make of the float model's: this takes back part of what earlier layers
lost. Then they are rounded column by column, and the error of each is made good by those that are
not rounded yet.

Sources: Frantar et al. 2022, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
Transformers", section 3 (the rounding; like AdaRound, Nagel et al. 2020, it minimises the error of
the layer's output instead of the weights', but in closed form); Li et al. 2025, "GPTAQ: Efficient
Finetuning-Free Quantization for Asymmetric Calibration" (the float model's output as the aim).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mobileq.quantize.repairs.layerwise import CODES, Layer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import NodeProto

    Array = NDArray[np.float32]
    Matrix = NDArray[np.float64]

PLACES: Final = 512
"""Output places of each sample that the fit looks at: few of many pictures teach it more than many
of few."""
RIDGE: Final = 0.3
"""How strongly weights are held where they are, in mean squares of the inputs. A few thousand
places of a few pictures must not be learned by heart."""
_DAMPING: Final = 0.01
_BLOCK: Final = 64
_SEED: Final = 20221031


def round_weights(layer: Layer) -> tuple[Array, Array]:
    """New weights, each a whole multiple of its output channel's scale, and the bias as it is.

    The scale stays max |w| / 127 of the fitted weights, and the largest stays the largest: so a
    target that rounds the result finds the same scale and the same multiples.
    """
    import numpy as np

    window = Window.of(layer.node, layer.weights)
    wanted, found = window.patches(layer.wanted), window.patches(layer.found)
    group, count = found.shape[0], found.shape[1]
    weights = layer.weights.reshape(group, -1, found.shape[2])
    missing = (wanted - found) @ weights.transpose(0, 2, 1)
    moments = (found.transpose(0, 2, 1) @ found).astype(np.float64) / count
    aims = (found.transpose(0, 2, 1) @ missing).astype(np.float64) / count
    fitted = weights + np.linalg.solve(_raised(moments, RIDGE), aims).transpose(0, 2, 1)
    result = compensated(fitted, moments).reshape(layer.weights.shape)
    return result.astype(np.float32), layer.bias


def compensated(weights: Matrix, moments: Matrix) -> Matrix:
    """Weights [groups, outputs, inputs] rounded to whole multiples of max |w| / 127 of each output.

    Args:
        moments: [groups, inputs, inputs], mean products of what the layer is fed.
    """
    import numpy as np

    left = weights.copy()
    scale = np.maximum(np.abs(left).max(axis=2) / CODES, 1e-12)
    largest = np.abs(left).argmax(axis=2)
    sign = np.sign(np.take_along_axis(left, largest[..., None], 2)[..., 0])
    # The rows of this factor hold how the columns that are left make good an error in each.
    factor = np.linalg.cholesky(np.linalg.inv(_raised(moments, _DAMPING))).transpose(0, 2, 1)
    result = np.empty_like(left)
    for start in range(0, left.shape[2], _BLOCK):
        stop = min(start + _BLOCK, left.shape[2])
        errors = np.empty((*left.shape[:2], stop - start))
        for at in range(start, stop):
            codes = np.clip(np.rint(left[:, :, at] / scale), -CODES, CODES)
            codes = np.where(largest == at, sign * CODES, codes)
            result[:, :, at] = codes * scale
            error = (left[:, :, at] - result[:, :, at]) / factor[:, at, at, None]
            left[:, :, at:stop] -= error[:, :, None] * factor[:, None, at, at:stop]
            errors[:, :, at - start] = error
        left[:, :, stop:] -= errors @ factor[:, start:stop, stop:]
    return result


def _raised(moments: Matrix, share: float) -> Matrix:
    """`moments` with a share of their mean diagonal added to the diagonal."""
    import numpy as np

    mean = np.trace(moments, axis1=1, axis2=2) / moments.shape[1]
    result: Matrix = moments + (share * mean + 1e-9)[:, None, None] * np.eye(moments.shape[1])
    return result


@dataclass(frozen=True)
class Window:
    """What one output of a 2-D convolution sees. Pairs are (vertical, horizontal)."""

    group: int
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]
    """Top, left, bottom, right."""

    @classmethod
    def of(cls, node: NodeProto, weights: Array) -> Window:
        """A convolution's. `auto_pad` counts as none: then fewer places are looked at."""
        given = {each.name: tuple(each.ints) for each in node.attribute}
        group = next((int(each.i) for each in node.attribute if each.name == "group"), 1)
        height, width = weights.shape[2:]
        return cls(
            group,
            (height, width),
            given.get("strides") or (1, 1),
            given.get("dilations") or (1, 1),
            given.get("pads") or (0, 0, 0, 0),
        )

    def patches(self, inputs: Sequence[Array]) -> Array:
        """What up to `PLACES` outputs of each sample see: [group, places, inputs of an output].

        The places depend on the shape alone, so float and int8 inputs are looked at alike.
        """
        import numpy as np

        generator = np.random.default_rng(_SEED)
        found = np.concatenate([self._patches(each[0], generator) for each in inputs])
        places, channels, area = found.shape
        split = found.reshape(places, self.group, channels // self.group * area)
        return np.ascontiguousarray(split.transpose(1, 0, 2))

    def _patches(self, image: Array, generator: np.random.Generator) -> Array:
        import numpy as np

        top, left, bottom, right = self.pads
        image = np.pad(image, ((0, 0), (top, bottom), (left, right)))
        height, width = (
            (length - dilation * (kernel - 1) - 1) // stride + 1
            for length, kernel, dilation, stride in zip(
                image.shape[1:], self.kernel, self.dilations, self.strides, strict=True
            )
        )
        count = height * width
        places = generator.choice(count, min(count, PLACES), replace=False)
        rows = places[:, None] // width * self.strides[0] + self._offsets(0)
        columns = places[:, None] % width * self.strides[1] + self._offsets(1)
        found = image[:, rows[:, :, None], columns[:, None, :]]
        return found.transpose(1, 0, 2, 3).reshape(len(places), len(image), -1)

    def _offsets(self, axis: int) -> NDArray[np.int64]:
        import numpy as np

        return np.arange(self.kernel[axis]) * self.dilations[axis]
