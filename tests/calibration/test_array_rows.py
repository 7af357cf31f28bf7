"""Samples out of a .npy file."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileq.calibration.samples import open_samples, spread
from mobileq.errors import InputError, MobileqError
from mobileq.spec import PreprocessSpec, TensorSpec
from mobileq.vision.preprocess import preprocess

from .picture_files import INPUT, PREPROCESS, open_, picture, tensor_of, write_pictures


def save(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


def test_uint8_array_holds_pictures(tmp_path: Path) -> None:
    pictures = np.stack([picture(seed) for seed in range(3)])
    samples = open_(save(tmp_path / "a.npy", pictures))
    assert (samples.kind, samples.ids) == ("pictures", ("row-000000", "row-000001", "row-000002"))
    for sample, image in zip(samples, pictures, strict=True):
        np.testing.assert_array_equal(sample.pictures[0].image, image)
        np.testing.assert_array_equal(tensor_of(sample), preprocess(image, PREPROCESS)[0])


TENSORS = np.random.default_rng(0).random((5, 1, 3, 8, 16), np.float32)


@pytest.mark.parametrize(
    "array",
    [
        TENSORS,
        TENSORS[:, 0],
        TENSORS[:, 0].transpose(0, 2, 3, 1),
        TENSORS.transpose(0, 1, 3, 4, 2),
        TENSORS.astype(">f4"),
        TENSORS.astype(np.float64),
        np.asfortranarray(TENSORS),
    ],
    ids=["whole", "without-one", "nhwc", "whole-nhwc", "big-endian", "float64", "fortran"],
)
def test_float_array_holds_finished_tensors(tmp_path: Path, array: np.ndarray) -> None:
    samples = open_samples(save(tmp_path / "a.npy", array), None, (INPUT,))
    assert samples.kind == "tensors"
    found = [tensor_of(sample) for sample in samples]
    np.testing.assert_array_equal(found, TENSORS)
    assert all(tensor.dtype == np.float32 and tensor.flags.c_contiguous for tensor in found)
    assert all(sample.pictures == () for sample in samples)


def test_gray_pictures_have_one_channel_or_three(tmp_path: Path) -> None:
    gray = PreprocessSpec(
        width=16, height=8, channel_order="GRAY", image_mean=(0.0,), image_std=(1.0,)
    )
    spec = TensorSpec(name="images", shape=(1, 1, 8, 16), dtype="float32", layout="NCHW")
    pictures = np.stack([picture(seed)[..., :1] for seed in range(2)])
    one = open_samples(save(tmp_path / "one.npy", pictures), gray, (spec,))
    three = open_samples(save(tmp_path / "three.npy", pictures.repeat(3, -1)), gray, (spec,))
    for first, second in zip(one, three, strict=True):
        assert tensor_of(first).shape == (1, 1, 8, 16)
        np.testing.assert_array_equal(tensor_of(first), tensor_of(second))


BATCH = TensorSpec(name="images", shape=(3, 3, 8, 16), dtype="float32", layout="NCHW")


def test_pictures_fill_a_batch_and_the_last_is_filled_up_with_the_first(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png", "b.png", "c.png", "d.png"])
    alone = [tensor_of(sample)[0] for sample in open_(tmp_path)]
    samples = open_samples(tmp_path, PREPROCESS, (BATCH,))
    assert (len(samples), samples.ids) == (2, ("a.png", "b.png", "c.png", "d.png"))
    first, second = samples
    np.testing.assert_array_equal(tensor_of(first), alone[:3])
    np.testing.assert_array_equal(tensor_of(second), [alone[3], alone[0], alone[1]])
    assert (first.id, second.id) == ("a.png, b.png, c.png", "d.png")
    assert [len(first.pictures), len(second.pictures)] == [3, 1]
    (again,) = samples.between(1, 2)
    assert [each.id for each in samples.at(spread(2, 100))] == [each.id for each in samples]
    assert [each.id for each in samples.at(spread(2, 1))] == [first.id]
    np.testing.assert_array_equal(tensor_of(again), tensor_of(second))


def test_one_picture_fills_a_batch_alone(tmp_path: Path) -> None:
    (sample,) = open_samples(write_pictures(tmp_path, ["a.png"]), PREPROCESS, (BATCH,))
    rows = tensor_of(sample)
    np.testing.assert_array_equal(rows[1:], rows[[0, 0]])
    assert len(sample.pictures) == 1


def test_fingerprint_of_an_array_depends_on_rows_and_their_order_of_axes(tmp_path: Path) -> None:
    other = TENSORS.copy()
    other[4, 0, 2, 7, 15] += 1
    arrays = (TENSORS, other, TENSORS[:4], TENSORS.reshape(5, 8, 16, 3))
    prints = {
        open_(save(tmp_path / f"{number}.npy", array)).fingerprint()
        for number, array in enumerate(arrays)
    }
    assert len(prints) == 4
    samples = open_(save(tmp_path / "again.npy", TENSORS))
    assert samples.fingerprint() == samples.fingerprint()
    assert samples.fingerprint() in prints


def test_tensors_of_an_input_without_layout_must_fit_as_they_are(tmp_path: Path) -> None:
    vector = TensorSpec(name="x", shape=(1, 7), dtype="float32")
    path = save(tmp_path / "a.npy", np.ones((4, 7), np.float32))
    assert [tensor_of(sample).shape for sample in open_samples(path, None, (vector,))] == [
        (1, 7)
    ] * 4
    unknown = TensorSpec(name="images", shape=(1, 8, 16, 3), dtype="float32")
    with pytest.raises(InputError, match="does not go with"):
        open_samples(save(tmp_path / "b.npy", TENSORS), None, (unknown,))


def test_nhwc_model_takes_nchw_tensors(tmp_path: Path) -> None:
    nhwc = TensorSpec(name="images", shape=(1, 8, 16, 3), dtype="float32", layout="NHWC")
    samples = open_samples(save(tmp_path / "a.npy", TENSORS[:, 0]), None, (nhwc,))
    expected = TENSORS.transpose(0, 1, 3, 4, 2)
    np.testing.assert_array_equal([tensor_of(sample) for sample in samples], expected)


def test_tensor_with_nan_is_skipped(tmp_path: Path) -> None:
    array = TENSORS.copy()
    array[2, 0, 1, 3, 4] = np.nan
    samples = open_samples(save(tmp_path / "a.npy", array), None, (INPUT,))
    assert samples.skipped == (("row-000002", "holds NaN or infinite values."),)
    assert len(samples) == 4


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3, 9, 16), np.float32),
        np.zeros((2, 8, 16, 4), np.uint8),
        np.zeros((2, 3, 8, 16), np.int8),
        np.zeros((0, 3, 8, 16), np.float32),
        np.zeros((), np.float32),
        np.zeros(5, np.float32),
        np.array(["text"]),
    ],
)
def test_array_that_does_not_fit_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"a\.npy .*\.$"):
        open_(save(tmp_path / "a.npy", array))


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, 220), at=st.integers(0, 127), byte=st.integers(0, 255))
@pytest.mark.filterwarnings("default")
def test_damaged_array_is_read_or_refused_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, cut: int, at: int, byte: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.npy"
    small = TensorSpec(name="images", shape=(1, 3, 2, 2), dtype="float32", layout="NCHW")
    np.save(path, np.zeros((2, 3, 2, 2), np.float32))
    content = bytearray(path.read_bytes())
    content[at] = byte
    path.write_bytes(content[: len(content) - cut])
    message = ""
    try:
        samples = open_samples(path, PREPROCESS, (small,))
    except MobileqError as error:
        message = error.message
    else:
        assert all(tensor_of(sample).shape == (1, 3, 2, 2) for sample in samples)
    assert "\n" not in message


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"not a \.npy array of numbers"):
        open_(tmp_path / "a.npy")
