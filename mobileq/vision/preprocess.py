"""From a picture to the model's input tensor, the same to the last bit on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from mobileq.errors import UsageError
from mobileq.spec import ModelSpec, PreprocessSpec, QuantParams, TensorSpec
from mobileq.vision.arrays import ByteArray, FloatArray
from mobileq.vision.image_file import read_image
from mobileq.vision.letterbox import LetterboxTransform, Rotation
from mobileq.vision.resize import resize

__all__ = [
    "dequantize",
    "exact_pixels",
    "feed_picture",
    "letterbox_image",
    "lookup_table",
    "pixels_of",
    "preprocess",
    "preprocess_batch",
    "quantize",
    "read_image",
]

_ROTATE_CODES = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def preprocess(
    image: ByteArray,
    spec: PreprocessSpec,
    dtype: Literal["float32", "uint8"] = "float32",
    rotation: Rotation = 0,
) -> tuple[npt.NDArray[np.float32 | np.uint8], LetterboxTransform]:
    """Make the input tensor of one picture.

    Make it gray if the model wants that, rotate, resize, pad or crop (all in 8 bits), put the
    channels in order, look each pixel up in `lookup_table(spec)`, put the axes in order.

    Args:
        image: uint8 [H, W, 3], RGB.
        spec: What the model wants.
        dtype: "uint8" gives the pixels themselves, for models that take them without a scale.
        rotation: Clockwise turn that makes the picture upright (a camera's sensor orientation).

    Returns:
        The tensor, of the shape `spec.tensor_shape()`, contiguous; and the transform that takes
        boxes back.

    Raises:
        ValueError: `image` or `dtype` is not one of the above.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image is {image.dtype} {image.shape}, expected uint8 [H, W, 3]")
    transform = LetterboxTransform.fit(image.shape[1], image.shape[0], spec, rotation)
    if spec.channel_order == "GRAY":
        image = gray_image(image)
    canvas = letterbox_image(image, transform, spec)
    if spec.channel_order == "BGR":
        canvas = np.ascontiguousarray(canvas[:, :, ::-1])
    if dtype not in ("float32", "uint8"):
        raise ValueError(f"dtype is {dtype!r}, expected 'float32' or 'uint8'")
    table = lookup_table(spec) if dtype == "float32" else None
    if spec.layout == "NCHW":
        return _planes(canvas, table), transform
    if table is not None:
        canvas = cv2.LUT(canvas, table[:, np.newaxis, :]).reshape(canvas.shape)
    return np.ascontiguousarray(canvas[np.newaxis]), transform


def _planes(canvas: ByteArray, table: FloatArray | None) -> npt.NDArray[np.float32 | np.uint8]:
    """[1, C, H, W] of [H, W, C]. Bytes are put in their order before they are looked up: to move
    floats takes three times as long as all the rest."""
    planes = cv2.split(canvas)
    if table is None:
        return np.stack(planes)[np.newaxis]
    made = np.empty((1, len(planes), *canvas.shape[:2]), np.float32)
    for at, plane in enumerate(planes):
        cv2.LUT(plane, np.ascontiguousarray(table[:, at]), dst=made[0, at])
    return made


def feed_picture(
    spec: ModelSpec, image: ByteArray, rotation: Rotation = 0
) -> tuple[dict[str, npt.NDArray[np.float32 | np.uint8]], LetterboxTransform]:
    """{input name: tensor} for a model that takes a picture, and the transform back.

    A model that takes several at a time is given it in every row.

    An input with a scale is given real values, which its runner quantizes.

    Raises:
        UsageError: How the model wants its picture is not known.
    """
    if spec.preprocess is None:
        raise UsageError(
            f"How {spec.name} wants its picture is not known.",
            "Say it with --family, or describe it with --spec FILE.toml.",
        )
    first = spec.inputs[0]
    tensor, transforms = preprocess_batch([image], spec.preprocess, first, rotation)
    return {first.name: tensor}, transforms[0]


def preprocess_batch(
    images: Sequence[ByteArray], spec: PreprocessSpec, tensor: TensorSpec, rotation: Rotation = 0
) -> tuple[npt.NDArray[np.float32 | np.uint8], tuple[LetterboxTransform, ...]]:
    """The input tensor of one picture or of as many as the model takes, and their transforms.

    Where there are fewer, they are repeated in the rows that are left.

    Args:
        images: At least one, at most the batch of `tensor`; as of `preprocess`.
        tensor: The input. One of integers without a scale is given the pixels themselves.
    """
    plain = tensor.dtype == "uint8" and tensor.quant is None
    dtype: Literal["uint8", "float32"] = "uint8" if plain else "float32"
    made = [preprocess(image, spec, dtype, rotation) for image in images]
    transforms = tuple(transform for _, transform in made)
    batch = tensor.shape[0] if tensor.shape else 1
    if batch <= 1:
        return made[0][0], transforms
    rows = [made[at % len(made)][0] for at in range(batch)]
    return np.concatenate(rows), transforms


def gray_image(image: ByteArray) -> ByteArray:
    """One channel of RGB: `(9798 * R + 19235 * G + 3735 * B + 16384) >> 15`, uint8 [H, W, 1].

    As OpenCV does it (4.13); gray that was made RGB comes back as it was.
    """
    gray: ByteArray = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return gray[:, :, np.newaxis]


def letterbox_image(
    image: ByteArray, transform: LetterboxTransform, spec: PreprocessSpec
) -> ByteArray:
    """Rotate, resize, pad and crop in 8 bits: uint8 [height, width, C], channels as they come."""
    turned: ByteArray = image
    channels = image.shape[2]
    if transform.rotation:
        turned = cv2.rotate(image, _ROTATE_CODES[transform.rotation])
        turned = turned.reshape(*turned.shape[:2], channels)  # OpenCV drops an axis of length 1
    left, top = max(transform.left, 0), max(transform.top, 0)
    columns = slice(left - transform.left, transform.width - transform.left)
    rows = slice(top - transform.top, transform.height - transform.top)
    resized = resize(
        turned,
        transform.resized_width,
        transform.resized_height,
        spec.interpolation,
        spec.antialias,
        columns=columns,
        rows=rows,
    )
    canvas = np.full((transform.height, transform.width, channels), spec.pad_value, np.uint8)
    canvas[top : top + resized.shape[0], left : left + resized.shape[1]] = resized
    return canvas


def pixels_of(tensor: npt.NDArray[Any], spec: PreprocessSpec) -> ByteArray:
    """What a model sees: uint8 [H, W, 3] RGB of the first picture of an input tensor, whoever made
    it. Of `preprocess` these are the pixels that it looked up.

    Args:
        tensor: float32, or the pixels themselves; with a batch, in the axes of `spec.layout`.
    """
    values: npt.NDArray[Any] = tensor[0].transpose(1, 2, 0) if spec.layout == "NCHW" else tensor[0]
    if tensor.dtype != np.uint8:
        values = _nearest_pixels(values, spec)
    if spec.channel_order == "BGR":
        values = values[:, :, ::-1]
    return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3)))


@lru_cache(maxsize=64)
def lookup_table(spec: PreprocessSpec) -> FloatArray:
    """Input value of each pixel value: float32 [256, C], channels in `spec.channel_order`.

    `(pixel * rescale_factor - image_mean) / image_std`, from left to right in float64, rounded
    once to float32. A table leaves nothing to the order or the fusing of float32 operations.
    """
    pixel = np.arange(256, dtype=np.float64)[:, np.newaxis]
    mean = np.array(spec.image_mean, np.float64)
    std = np.array(spec.image_std, np.float64)
    table = ((pixel * np.float64(spec.rescale_factor) - mean) / std).astype(np.float32)
    table.setflags(write=False)  # the cache hands the same array to everyone
    return table


def exact_pixels(tensor: npt.NDArray[np.float32 | np.uint8], spec: PreprocessSpec) -> ByteArray:
    """The pixels that `preprocess` made a tensor of, for runtimes that scale them themselves.

    Args:
        tensor: Of the shape `spec.tensor_shape()`.

    Returns:
        uint8 [1, height, width, channels], channels in `spec.channel_order`.

    Raises:
        ValueError: Its values are none that a pixel has.
    """
    rows = tensor if spec.layout == "NHWC" else tensor.transpose(0, 2, 3, 1)
    if tensor.dtype == np.uint8:
        return np.ascontiguousarray(rows, np.uint8)
    pixels = _nearest_pixels(rows, spec)
    made = np.take_along_axis(lookup_table(spec), pixels.reshape(-1, spec.channels), axis=0)
    if not np.array_equal(made.reshape(rows.shape), rows):
        raise ValueError("the tensor holds values that no pixel has")
    return pixels


def _nearest_pixels(values: npt.NDArray[Any], spec: PreprocessSpec) -> ByteArray:
    """Of what a model is given [..., channels], undoing mean, deviation and factor."""
    mean, std = np.array(spec.image_mean), np.array(spec.image_std)
    real = (values.astype(np.float64) * std + mean) / spec.rescale_factor
    pixels: ByteArray = np.rint(np.clip(np.nan_to_num(real), 0.0, 255.0)).astype(np.uint8)
    return pixels


def quantize(
    array: FloatArray, quant: QuantParams, dtype: npt.DTypeLike
) -> npt.NDArray[np.integer]:
    """Real values to integers: `round(array / scale) + zero_point`, saturated to `dtype`.

    The division is float32 by float32; halves round away from zero, as in TensorFlow Lite's
    reference kernels (`AffineQuantize`, `TfLiteRound`) and unlike ONNX's QuantizeLinear, which
    rounds halves to even. NaN becomes the zero point; infinities saturate.

    Args:
        array: float32, any shape.
        quant: One scale and zero point, or one per index along `quant.axis`.
        dtype: An integer type.

    Raises:
        ValueError: `quant` does not fit the array.
    """
    scale, zero_point = _broadcast(quant, array.ndim, array.shape)
    limits = np.iinfo(np.dtype(dtype))
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = (array.astype(np.float32, copy=False) / scale).astype(np.float64)
    # Widened first: in float32, 0.49999997 + 0.5 is 1. Exact in float64.
    rounded = np.copysign(np.floor(np.abs(ratio) + 0.5), ratio) + zero_point
    rounded = np.where(np.isnan(rounded), zero_point, rounded)
    return np.clip(rounded, limits.min, limits.max).astype(limits.dtype)


def dequantize(array: npt.NDArray[np.integer], quant: QuantParams) -> FloatArray:
    """Integers to real values: `scale * (array - zero_point)`.

    The difference is a whole number (exact), made float32 and multiplied in float32.

    Raises:
        ValueError: `quant` does not fit the array.
    """
    scale, zero_point = _broadcast(quant, array.ndim, array.shape)
    difference = array.astype(np.int64) - zero_point.astype(np.int64)
    return scale * difference.astype(np.float32)


def _broadcast(
    quant: QuantParams, ndim: int, shape: tuple[int, ...]
) -> tuple[FloatArray, npt.NDArray[np.float64]]:
    """Scale and zero point, shaped to go with an array of `shape`."""
    scale = np.array(quant.scale, np.float32)
    zero_point = np.array(quant.zero_point, np.float64)
    count = 1 if quant.axis is None else shape[quant.axis]
    if scale.shape != (count,) or zero_point.shape != (count,):
        raise ValueError(
            f"{scale.size} scales and {zero_point.size} zero points do not fit "
            f"shape {shape} along axis {quant.axis}"
        )
    if quant.axis is None:
        return scale.reshape(()), zero_point.reshape(())
    along = [1] * ndim
    along[quant.axis] = count
    return scale.reshape(along), zero_point.reshape(along)
