"""preprocessConfig.json, from which MNN's own quantizer learns how a picture becomes a tensor.

The quantizer stretches pictures to the input's size and knows no other way. It is given pictures of
exactly that size, letterboxed or cropped, so that its resizing changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.errors import UsageError
from mobileq.spec import PreprocessSpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CONFIG_NAME = "preprocessConfig.json"
PICTURES = "calibration/"
"""Where the config finds the pictures, from the folder it lies in. MNN appends file names to it as
it stands, so the slash is part of it, and opens every file there that no dot begins."""


def preprocess_config(
    spec: PreprocessSpec, count: int, method: str, weights: str, skip: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What the file says.

    MNN computes `(pixel - mean) * normal` on 0..255, with channels in the order of `format`. Its
    GRAY is another rounding than OpenCV's; the pictures it is given are gray already, which it
    keeps.

    Args:
        count: How many pictures it takes of those in the folder.
        method: "KL", "ADMM" or "EMA".
        weights: "MAX_ABS" or "ADMM".
        skip: Names of ops that are not to be quantized.
    """
    return {
        "format": spec.channel_order,
        "mean": [mean / spec.rescale_factor for mean in spec.image_mean],
        "normal": [spec.rescale_factor / std for std in spec.image_std],
        "width": spec.width,
        "height": spec.height,
        "path": PICTURES,
        "used_image_num": count,
        "feature_quantize_method": method,
        "weight_quantize_method": weights,
        # EMA (MNN 3.6.1) takes it for granted, and transformed weights lose precision.
        "winogradOpt": False,
        "skip_quant_op_names": list(skip),
    }


def write_pictures(
    spec: PreprocessSpec, tensors: Iterable[npt.NDArray[Any]], folder: Path
) -> tuple[str, ...]:
    """Write the calibration tensors as PNG pictures; returns their names, in order.

    Args:
        tensors: Float32, of the shape `spec.tensor_shape()`.

    Raises:
        UsageError: A tensor was not made from a picture with `spec`.
    """
    from mobileq.vision.image_file import write_image

    names = []
    for index, tensor in enumerate(tensors):
        names.append(f"{index:04d}.png")
        write_image(folder / names[-1], _picture(spec, tensor))
    return tuple(names)


def _picture(spec: PreprocessSpec, tensor: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """The pixels that `mobileq.vision.preprocess` made the tensor of, RGB [height, width, 3]."""
    import numpy as np

    from mobileq.vision.preprocess import lookup_table

    values = tensor[0].transpose(1, 2, 0) if spec.layout == "NCHW" else tensor[0]
    real = values.astype(np.float64) * spec.image_std + spec.image_mean
    pixels = np.clip(np.round(real / spec.rescale_factor), 0, 255).astype(np.uint8)
    table = lookup_table(spec)
    made = np.stack(
        [table[pixels[..., channel], channel] for channel in range(spec.channels)], axis=-1
    )
    if not np.array_equal(made, values):
        raise UsageError(
            "MNN's own quantizer takes pictures, and a calibration sample was not made from one.",
            "Give photos with --calib, or use --mnn-method mobileq.",
        )
    if spec.channel_order == "GRAY":
        return np.repeat(pixels, 3, axis=-1)
    return pixels if spec.channel_order == "RGB" else np.ascontiguousarray(pixels[..., ::-1])
