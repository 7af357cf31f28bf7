"""Samples no photo is like, on which a float file must still give what the ONNX model gives.

Photos, and numbers from 0 to 1, never reach whole branches of a model: an ELU of another alpha is
the same on them. Objects in these samples would say nothing, so that they have no pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.spec import ModelSpec, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample

_LARGE = 8.0
_SMALL = 1e-3
_BLOCKS = 4


def probe_samples(spec: ModelSpec, seed: int, model: Path) -> Iterator[Sample]:
    """Noise and saturated blocks through the model's own preprocessing; inputs that take no
    picture get numbers of both signs, small and large, with zeros and ties; whole ones that the
    ONNX file `model` takes fewer of than their type holds are of those."""
    import numpy as np

    from mobileq.calibration.samples import Sample
    from mobileq.graph.input_domains import read_domains, within
    from mobileq.vision.preprocess import feed_picture

    numbers, domains = np.random.default_rng(seed), read_domains(model)
    images = (("noise", _noise(numbers)), ("extremes", _extremes(numbers)))
    for name, image in images if spec.preprocess else images[:1]:
        pictured = feed_picture(spec, image)[0] if spec.preprocess else {}
        others = [tensor for tensor in spec.inputs if tensor.name not in pictured]
        feeds = {tensor.name: signed(numbers, tensor) for tensor in others}
        feeds.update(within(domains, others, numbers), **pictured)
        yield Sample(f"probe-{name}", feeds)


def _noise(numbers: Any) -> NDArray[Any]:
    import numpy as np

    image: NDArray[Any] = numbers.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    return image


def _extremes(numbers: Any) -> NDArray[Any]:
    """Blocks in which each color is wholly on or off."""
    import numpy as np

    blocks = numbers.integers(0, 2, (_BLOCKS, _BLOCKS, 3)).astype(np.uint8) * np.uint8(255)
    image: NDArray[Any] = blocks.repeat(60, axis=0).repeat(80, axis=1)
    return image


def signed(numbers: Any, tensor: TensorSpec) -> NDArray[Any]:
    """An array for one input: of floats a quarter each are about 1 and 8 large, small, and
    multiples of a half, zero among them. Bytes reach over their whole range; wider
    integers, indices or sizes more often than values, stay 0 or 1.
    """
    import numpy as np

    from mobileq.graph.input_domains import masks

    dtype = np.dtype(tensor.dtype)
    if dtype.kind in "iu" and dtype.itemsize == 1:
        limits = np.iinfo(dtype)
        return np.asarray(numbers.integers(limits.min, limits.max + 1, tensor.shape), dtype)
    if dtype.kind == "b":
        return masks(numbers, tensor.shape)
    if dtype.kind in "iu":
        return np.asarray(numbers.integers(0, 2, tensor.shape), dtype)
    values = numbers.normal(0.0, 1.0, tensor.shape)
    kind = numbers.integers(0, 4, tensor.shape)
    values = np.where(kind == 1, values * _LARGE, values)
    values = np.where(kind == 2, values * _SMALL, values)
    return np.asarray(np.where(kind == 3, np.round(values * 4) / 2, values), dtype)
