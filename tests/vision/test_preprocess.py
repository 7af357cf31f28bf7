from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mobileq.spec import PreprocessSpec, QuantParams
from mobileq.vision.letterbox import LetterboxTransform
from mobileq.vision.preprocess import (
    dequantize,
    exact_pixels,
    gray_image,
    letterbox_image,
    lookup_table,
    pixels_of,
    preprocess,
    quantize,
)
from mobileq.vision.resize import resize


def photo(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def resize_by_hand(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The algorithm of `mobileq.vision.resize`'s docstring in whole numbers, as Java has it."""

    def axis(source: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        first, second, weight = [], [], []
        for index in range(target):
            position = Fraction(2 * index + 1, 2) * Fraction(source, target) - Fraction(1, 2)
            below = math.floor(position)
            if below < 0 or below >= source - 1:
                edge = 0 if below < 0 else source - 1
                first.append(edge)
                second.append(edge)
                weight.append(0)
            else:
                first.append(below)
                second.append(below + 1)
                weight.append(round((position - below) * 256))  # round() is half to even
        return np.array(first), np.array(second), np.array(weight)

    pixels = image.astype(np.int64)
    left, right, weight = axis(image.shape[1], width)
    weight = weight[None, :, None]
    rows = pixels[:, left] * (256 - weight) + pixels[:, right] * weight
    upper, lower, weight = axis(image.shape[0], height)
    weight = weight[:, None, None]
    total = rows[upper] * (256 - weight) + rows[lower] * weight
    return ((total + 0x8000) >> 16).astype(np.uint8)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 70), st.integers(1, 70))
@settings(max_examples=60, deadline=None)
def test_resizing_is_the_documented_integer_arithmetic(width, height, model_w, model_h):
    image = photo(width, height, seed=width * 100 + height)
    spec = PreprocessSpec(width=model_w, height=model_h, resize_mode="stretch")
    transform = LetterboxTransform.fit(width, height, spec)
    np.testing.assert_array_equal(
        letterbox_image(image, transform, spec), resize_by_hand(image, model_w, model_h)
    )


@given(
    st.integers(1, 200),
    st.integers(1, 200),
    st.sampled_from(["letterbox", "letterbox_top_left"]),
    st.sampled_from([0, 90, 180, 270]),
    st.integers(0, 255),
)
@settings(deadline=None)
def test_every_padded_pixel_is_the_pad_value(width, height, mode, rotation, pad_value):
    spec = PreprocessSpec(width=64, height=48, resize_mode=mode, pad_value=pad_value)
    transform = LetterboxTransform.fit(width, height, spec, rotation)
    other = (pad_value + 128) % 256
    canvas = letterbox_image(np.full((height, width, 3), other, np.uint8), transform, spec)
    covered = np.zeros((48, 64), bool)
    covered[
        transform.top : transform.top + transform.resized_height,
        transform.left : transform.left + transform.resized_width,
    ] = True
    assert np.all(canvas[~covered] == pad_value)
    assert np.all(canvas[covered] == other)


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 20),
    st.sampled_from(["bilinear", "bicubic"]),
    st.booleans(),
    st.sampled_from(["RGB", "BGR", "GRAY"]),
    st.sampled_from(["NCHW", "NHWC"]),
)
@settings(max_examples=60, deadline=None)
def test_center_crop_is_the_middle_of_the_resized_picture(
    width, height, more, interpolation, antialias, order, layout
):
    channels = 1 if order == "GRAY" else 3
    spec = PreprocessSpec(
        width=24, height=24, resize_mode="center_crop", shortest_edge=24 + more,
        interpolation=interpolation, antialias=antialias, channel_order=order, layout=layout,
        image_mean=(0.0,) * channels, image_std=(1.0,) * channels,
    )  # fmt: skip
    image = photo(width, height)
    tensor, t = preprocess(image, spec, "uint8")
    assert tensor.shape == spec.tensor_shape()
    source = gray_image(image) if order == "GRAY" else image[..., :: -1 if order == "BGR" else 1]
    whole = resize(source, t.resized_width, t.resized_height, interpolation, antialias)
    pixels = tensor[0].transpose(1, 2, 0) if layout == "NCHW" else tensor[0]
    np.testing.assert_array_equal(pixels, whole[-t.top : 24 - t.top, -t.left : 24 - t.left])
    reals, _ = preprocess(image, spec)
    np.testing.assert_array_equal(reals, (tensor * np.float64(1 / 255)).astype(np.float32))


@pytest.mark.parametrize(("rotation", "turns"), [(90, 3), (180, 2), (270, 1)])
@pytest.mark.parametrize("mode", ["letterbox", "center_crop"])
def test_rotation_equals_turning_the_picture_first(rotation, turns, mode):
    image = photo(50, 30)
    spec = PreprocessSpec(width=64, height=64, resize_mode=mode)
    tensor, transform = preprocess(image, spec, rotation=rotation)
    upright, _ = preprocess(np.ascontiguousarray(np.rot90(image, turns)), spec)
    np.testing.assert_array_equal(tensor, upright)
    assert (transform.source_width, transform.source_height) == (50, 30)


def test_nchw_and_nhwc_hold_the_same_values():
    image = photo(31, 17)
    nchw, _ = preprocess(image, PreprocessSpec(width=40, height=24))
    nhwc, _ = preprocess(image, PreprocessSpec(width=40, height=24, layout="NHWC"))
    assert (nchw.shape, nhwc.shape) == ((1, 3, 24, 40), (1, 24, 40, 3))
    assert nchw.dtype == nhwc.dtype == np.float32
    assert nchw.flags.c_contiguous
    assert nhwc.flags.c_contiguous
    np.testing.assert_array_equal(nchw.transpose(0, 2, 3, 1), nhwc)


def test_bgr_reverses_pixels_but_not_mean_and_std():
    spec = PreprocessSpec(
        width=1,
        height=1,
        channel_order="BGR",
        rescale_factor=1.0,
        image_mean=(1.0, 2.0, 3.0),
        image_std=(1.0, 10.0, 100.0),
    )
    tensor, _ = preprocess(np.array([[[50, 60, 70]]], np.uint8), spec)
    expected = np.array([(70 - 1) / 1, (60 - 2) / 10, (50 - 3) / 100], np.float32)
    np.testing.assert_array_equal(tensor.reshape(3), expected)


def gray_by_hand(image: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(image.astype(np.int64), 2, 0)
    return ((9798 * red + 19235 * green + 3735 * blue + 16384) >> 15).astype(np.uint8)


def test_gray_is_the_documented_integer_arithmetic():
    levels = np.arange(256, dtype=np.uint8)
    for red in range(0, 256, 5):
        image = np.stack(np.meshgrid(levels[red : red + 1], levels, levels)[0:3], -1)[:, 0]
        np.testing.assert_array_equal(gray_image(image)[..., 0], gray_by_hand(image))
    gray = np.repeat(photo(31, 17)[..., :1], 3, axis=2)
    np.testing.assert_array_equal(gray_image(gray), gray[..., :1])


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_gray_models_get_one_channel_made_before_resizing(rotation, layout):
    spec = PreprocessSpec(
        width=40, height=24, channel_order="GRAY", rescale_factor=0.5, image_mean=(3.0,),
        image_std=(2.0,), layout=layout,
    )  # fmt: skip
    image = photo(31, 17)
    tensor, transform = preprocess(image, spec, rotation=rotation)
    assert tensor.shape == spec.tensor_shape() == ((1, 1, 24, 40) if layout == "NCHW" else
                                                   (1, 24, 40, 1))  # fmt: skip
    gray = np.repeat(gray_by_hand(image)[..., None], 3, axis=2)
    canvas = letterbox_image(gray, transform, spec)[..., 0].astype(np.float64)
    expected = ((canvas * 0.5 - 3) / 2).astype(np.float32)
    np.testing.assert_array_equal(tensor.reshape(24, 40), expected)


@pytest.mark.parametrize(
    "fields",
    [
        {"channel_order": "GRAY"},
        {"image_mean": (0.0,)},
        {"channel_order": "GRAY", "image_std": (1.0,)},
    ],
)
def test_mean_and_deviation_are_one_for_each_channel(fields):
    with pytest.raises(ValueError, match=r"image_(mean|std) has \d values where"):
        PreprocessSpec(width=8, height=8, **fields)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(
    ("order", "mean", "std"),
    [
        ("RGB", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        ("BGR", (0.406, 0.456, 0.485), (0.225, 0.224, 0.229)),
        ("GRAY", (0.5,), (0.25,)),
    ],
)
def test_what_a_model_sees_is_read_back_from_its_tensor(layout, order, mean, std):
    spec = PreprocessSpec(
        width=32, height=24, channel_order=order, image_mean=mean, image_std=std, layout=layout
    )
    image = photo(50, 20)
    tensor, transform = preprocess(image, spec)
    wanted = letterbox_image(gray_image(image) if order == "GRAY" else image, transform, spec)
    assert (pixels_of(tensor, spec) == wanted).all()
    plain, _ = preprocess(image, spec, "uint8")
    assert (pixels_of(plain, spec) == wanted).all()


def test_table_is_float64_rounded_once():
    spec = PreprocessSpec(
        width=1, height=1, image_mean=(0.485, 0.456, 0.406), image_std=(0.229, 0.224, 0.225)
    )
    table = lookup_table(spec)
    assert table.shape == (256, 3)
    assert table[77, 1] == np.float32((77 * (1.0 / 255.0) - 0.456) / 0.224)
    with pytest.raises(ValueError, match="read-only"):
        table[0, 0] = 1


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("order", ["RGB", "BGR", "GRAY"])
def test_pixels_come_back_from_the_tensor(order, layout):
    means = {"image_mean": (0.485, 0.456, 0.406), "image_std": (0.229, 0.224, 0.225)}
    if order == "GRAY":
        means = {name: values[:1] for name, values in means.items()}
    spec = PreprocessSpec(width=23, height=17, channel_order=order, layout=layout, **means)
    image = photo(31, 40)
    wanted, _ = preprocess(image, spec, "uint8")
    tensor, _ = preprocess(image, spec)
    rows = wanted if layout == "NHWC" else wanted.transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(exact_pixels(tensor, spec), rows)
    np.testing.assert_array_equal(exact_pixels(wanted, spec), rows)
    for off in (0.001, 100.0):
        with pytest.raises(ValueError, match="holds values that no pixel has"):
            exact_pixels(tensor + np.float32(off), spec)


def test_uint8_gives_the_pixels_themselves():
    image = photo(8, 8)
    spec = PreprocessSpec(width=8, height=8, resize_mode="stretch", layout="NHWC")
    tensor, _ = preprocess(image, spec, dtype="uint8")
    assert tensor.dtype == np.uint8
    np.testing.assert_array_equal(tensor[0], image)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))]
)
def test_other_arrays_than_rgb_bytes_are_refused(image):
    with pytest.raises(ValueError, match="expected uint8"):
        preprocess(image, PreprocessSpec(width=8, height=8))


def test_other_dtypes_are_refused():
    with pytest.raises(ValueError, match="int8"):
        preprocess(photo(4, 4), PreprocessSpec(width=8, height=8), dtype="int8")


real_values = arrays(np.float32, 20, elements=st.floats(-1e6, 1e6, width=32))


@given(real_values, st.floats(1e-6, 1e3), st.integers(-128, 127))
def test_quantizing_there_and_back_stays_within_half_a_step(values, scale, zero_point):
    quant = QuantParams(scale=(scale,), zero_point=(zero_point,))
    integers = quantize(values, quant, np.int8)
    assert integers.dtype == np.int8
    step = float(np.float32(scale))
    lowest, highest = (-128 - zero_point) * step, (127 - zero_point) * step
    error = np.abs(dequantize(integers, quant) - np.clip(values, lowest, highest))
    assert np.all(error <= step / 2 + np.abs(values) * 1e-6 + step * 1e-4)
    assert np.all(integers[values > highest + step] == 127)
    assert np.all(integers[values < lowest - step] == -128)


@given(st.sampled_from([np.int8, np.uint8, np.int16]), st.integers(0, 100), st.floats(1e-4, 10))
def test_dequantized_integers_quantize_to_themselves(dtype, zero_point, scale):
    limits = np.iinfo(dtype)
    integers = np.linspace(limits.min, limits.max, 500).astype(dtype)
    quant = QuantParams(scale=(scale,), zero_point=(zero_point,))
    np.testing.assert_array_equal(quantize(dequantize(integers, quant), quant, dtype), integers)


def test_halves_round_away_from_zero():
    quant = QuantParams(scale=(1.0,), zero_point=(0,))
    values = np.array([0.5, 1.5, 2.5, -0.5, -2.5, 0.49999997], np.float32)
    assert quantize(values, quant, np.int8).tolist() == [1, 2, 3, -1, -3, 0]


def test_infinities_saturate_and_nan_is_the_zero_point():
    quant = QuantParams(scale=(0.5,), zero_point=(7,))
    values = np.array([np.inf, -np.inf, np.nan], np.float32)
    assert quantize(values, quant, np.uint8).tolist() == [255, 0, 7]


def test_scales_apply_along_their_axis():
    quant = QuantParams(scale=(1.0, 10.0), zero_point=(0, 5), axis=1)
    values = np.full((3, 2, 4), 20, np.float32)
    integers = quantize(values, quant, np.int8)
    assert np.all(integers[:, 0] == 20)
    assert np.all(integers[:, 1] == 7)
    np.testing.assert_array_equal(dequantize(integers, quant), values)


def test_scales_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        quantize(np.zeros((2, 3), np.float32), QuantParams(scale=(1.0,), zero_point=(0,), axis=1),
                 np.int8)  # fmt: skip
