"""Samples for several inputs, of any rank and type: what is read, skipped, and refused."""

from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from mobileq.calibration.samples import SampleSet, open_samples
from mobileq.errors import InputError, UsageError
from mobileq.spec import PreprocessSpec, QuantParams, TensorSpec
from mobileq.vision.preprocess import preprocess, read_image

PICTURE = TensorSpec(name="image", shape=(1, 3, 8, 16), dtype="float32", layout="NCHW")
IDS = TensorSpec(name="ids", shape=(1, 5), dtype="int64")
INPUTS = (PICTURE, IDS)
DRAW = np.random.default_rng(0)
IMAGES = DRAW.random((4, 1, 3, 8, 16), np.float32)
TOKENS = DRAW.integers(0, 100, (4, 5))


def opened(path: Path, inputs: tuple[TensorSpec, ...] = INPUTS, **options: Any) -> SampleSet:
    return open_samples(path, None, inputs, **options)


def assert_rows(samples: SampleSet) -> None:
    assert samples.kind == "tensors"
    found = list(samples)
    assert len(found) == 4
    for sample, image, tokens in zip(found, IMAGES, TOKENS, strict=True):
        np.testing.assert_array_equal(sample.feeds["image"], image)
        np.testing.assert_array_equal(sample.feeds["ids"], tokens[None])
        assert sample.feeds["ids"].dtype == np.int64
        assert sample.pictures == ()


def test_archive_holds_a_sample_in_each_row(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", image=IMAGES, ids=TOKENS)
    samples = opened(tmp_path / "all.npz")
    assert samples.ids == tuple(f"row-{row:06d}" for row in range(4))
    assert_rows(samples)


def test_rows_may_be_compressed_in_the_other_layout_and_of_other_widths(tmp_path: Path) -> None:
    images = IMAGES[:, 0].transpose(0, 2, 3, 1).astype(np.float64)
    np.savez_compressed(tmp_path / "all.npz", image=images, ids=TOKENS.astype(np.uint8))
    assert_rows(opened(tmp_path / "all.npz"))


def test_archive_of_the_inputs_shapes_is_one_sample(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", image=IMAGES[0], ids=TOKENS[:1], extra=np.zeros(3))
    samples = opened(tmp_path / "one.npz")
    assert len(list(samples)) == len(samples) == 1
    assert samples.notices == ("No input is called extra: ignored.",)


def test_folder_holds_an_archive_for_each_sample(tmp_path: Path) -> None:
    for row in range(4):
        np.savez(tmp_path / f"{row}.npz", image=IMAGES[row], ids=TOKENS[row])
    (tmp_path / "notes.txt").write_text("")
    samples = opened(tmp_path)
    assert samples.ids == ("0.npz", "1.npz", "2.npz", "3.npz")
    assert samples.notices == ("1 others were ignored: notes.txt.",)
    assert_rows(samples)


def test_folder_holds_a_folder_for_each_input(tmp_path: Path) -> None:
    for name, rows in (("image", IMAGES), ("ids", TOKENS)):
        (tmp_path / name).mkdir()
        for row in range(4):
            np.save(tmp_path / name / f"s{row}.npy", rows[row])
    np.save(tmp_path / "ids" / "alone.npy", TOKENS[0])
    samples = opened(tmp_path)
    assert samples.ids == ("s0", "s1", "s2", "s3")
    assert samples.notices == ("1 samples lack an input and were left out: alone.",)
    assert_rows(samples)


def test_names_that_no_folder_can_have_are_those_with_underscores(tmp_path: Path) -> None:
    first, second = (TensorSpec(name=name, shape=(3,), dtype="float32") for name in ("a/x:0", "b"))
    for folder in ("a_x_0", "b"):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "0.npy", np.ones(3, np.float32))
    (sample,) = opened(tmp_path, (first, second))
    assert set(sample.feeds) == {"a/x:0", "b"}


def test_pictures_of_both_inputs_are_preprocessed(tmp_path: Path) -> None:
    known = PreprocessSpec(width=16, height=8)
    other = TensorSpec(name="other", shape=(1, 3, 8, 16), dtype="float32", layout="NCHW")
    for seed, name in enumerate(("image", "other")):
        (tmp_path / name).mkdir()
        picture = np.random.default_rng(seed).integers(0, 256, (12, 20, 3), np.uint8)
        cv2.imwrite(str(tmp_path / name / "a.png"), picture)
    (sample,) = open_samples(tmp_path, known, (PICTURE, other))
    for name in ("image", "other"):
        expected, _ = preprocess(read_image(tmp_path / name / "a.png"), known)
        np.testing.assert_array_equal(sample.feeds[name], expected)
    (tmp_path / "other").rename(tmp_path / "ids")
    with pytest.raises(InputError, match=r"is a picture, which ids, int64 .* does not take"):
        open_samples(tmp_path, known, INPUTS)


@pytest.mark.parametrize(
    ("quant", "dtype"),
    [(None, np.uint8), (QuantParams(scale=(0.1,), zero_point=(7,)), np.float32)],
)
def test_pixels_are_for_bytes_without_a_scale(tmp_path: Path, quant, dtype) -> None:
    known = PreprocessSpec(width=16, height=8)
    picture = TensorSpec(
        name="image", shape=(1, 3, 8, 16), dtype="uint8", layout="NCHW", quant=quant
    )
    for name in ("image", "other"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), np.full((8, 16, 3), 9, np.uint8))
    inputs = (picture, msgspec.structs.replace(picture, name="other"))
    (sample,) = open_samples(tmp_path, known, inputs)
    assert sample.feeds["image"].dtype == dtype


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((), "float32"), ((7,), "int32"), ((4, 6), "float32"), ((2, 3, 5), "uint8"),
     ((1, 2, 3, 4, 5), "float32"), ((1, 9), "bool"), ((2, 1, 3, 8, 16), "int8")],
)  # fmt: skip
def test_single_input_of_any_rank_and_type(
    tmp_path: Path, shape: tuple[int, ...], dtype: str
) -> None:
    spec = TensorSpec(name="x", shape=shape, dtype=dtype)
    rows = np.random.default_rng(0).integers(0, 2, (3, *shape)).astype(dtype)
    np.save(tmp_path / "rows.npy", rows)
    np.savez(tmp_path / "rows.npz", rows)
    for name in ("rows.npy", "rows.npz"):
        found = [sample.feeds["x"] for sample in opened(tmp_path / name, (spec,))]
        np.testing.assert_array_equal(found, rows)
        assert all(each.dtype == dtype and each.shape == shape for each in found)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"image": IMAGES}, "has no array 'ids'; it has image"),
        ({"image": IMAGES, "ids": TOKENS[:3]}, "4 rows of image, 3 rows of ids"),
        ({"image": IMAGES[0], "ids": TOKENS}, "no rows of image, 4 rows of ids"),
        ({"image": IMAGES, "ids": TOKENS.astype(np.float32)}, r"float32 \[4, 5\] for the input"),
        ({"image": IMAGES[..., :9], "ids": TOKENS}, r"float32 \[4, 1, 3, 8, 9\] for the input"),
        ({"image": IMAGES[:0], "ids": TOKENS[:0]}, r"float32 \[0, 1, 3, 8, 16\] for"),
        ({}, "has no array 'image'; it has none"),
    ],
)
def test_archive_that_does_not_fit_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], reason: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=reason) as caught:
        opened(tmp_path / "a.npz")
    assert "image, float32 [1, 3, 8, 16]; ids, int64 [1, 5]" in caught.value.hint


def test_samples_that_cannot_be_used_are_skipped_and_named(tmp_path: Path) -> None:
    wrong = IMAGES.copy()
    wrong[1, 0, 0, 0, 0] = np.nan
    small = TensorSpec(name="ids", shape=(1, 5), dtype="int8")
    tokens = TOKENS.copy()
    tokens[2, 3] = 1000
    np.savez(tmp_path / "a.npz", image=wrong, ids=tokens)
    samples = opened(tmp_path / "a.npz", (PICTURE, small))
    assert samples.skipped == (
        ("row-000001", "holds NaN or infinite values (image)."),
        ("row-000002", "holds values that int8 can't (ids)."),
    )
    assert len(samples) == 2


def test_damaged_files_of_a_folder_are_skipped(tmp_path: Path) -> None:
    for row in range(3):
        np.savez(tmp_path / f"{row}.npz", image=IMAGES[row], ids=TOKENS[row])
    content = (tmp_path / "0.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    np.savez(tmp_path / "many.npz", image=IMAGES, ids=TOKENS)
    samples = opened(tmp_path)
    assert samples.ids == ("0.npz", "1.npz", "2.npz")
    assert dict(samples.skipped) == {
        "cut.npz": "is not a .npz file of arrays, or is damaged.",
        "many.npz": "holds several samples; in a folder each file is one.",
    }


def test_fingerprint_depends_on_every_input(tmp_path: Path) -> None:
    prints = set()
    for name, tokens in (("a", TOKENS), ("b", TOKENS + 1), ("c", TOKENS)):
        np.savez(tmp_path / f"{name}.npz", image=IMAGES, ids=tokens)
        prints.add(opened(tmp_path / f"{name}.npz").fingerprint())
    assert len(prints) == 2


def test_pictures_alone_cannot_feed_two_inputs(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UsageError, match="the model has 2 inputs: image, ids") as caught:
        opened(tmp_path)
    assert "--set ids=VALUE" in caught.value.hint
    np.save(tmp_path / "a.npy", IMAGES)
    with pytest.raises(UsageError, match="holds one array, but the model has 2 inputs"):
        opened(tmp_path / "a.npy")


def test_pickles_and_text_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", image=np.array([{}], dtype=object), ids=TOKENS)
    (tmp_path / "b.npz").write_text("no archive")
    for name in ("a.npz", "b.npz"):
        with pytest.raises(InputError, match=r"is not a \.npz file of arrays"):
            opened(tmp_path / name)
