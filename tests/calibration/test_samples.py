"""Samples: the same choice everywhere, one at a time, and what cannot be read is named."""

import os
import shutil
import tempfile
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileq.calibration.samples import Sample, SampleSet, calibration_info, open_samples
from mobileq.errors import InputError, MobileqError, UsageError
from mobileq.spec import PreprocessSpec, TensorSpec
from mobileq.vision.preprocess import preprocess, read_image

PREPROCESS = PreprocessSpec(width=16, height=8)
INPUT = TensorSpec(name="images", shape=(1, 3, 8, 16), dtype="float32", layout="NCHW")


def picture(seed: int, width: int = 20, height: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def write_pictures(folder: Path, names: list[str]) -> Path:
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / name), picture(seed))
    return folder


def tensor_of(sample: Sample) -> np.ndarray:
    (tensor,) = sample.feeds.values()
    return tensor


def image_of(sample: Sample) -> np.ndarray:
    (picture,) = sample.pictures
    assert picture.image is not None
    return picture.image


def open_(path: Path, **options: Any) -> SampleSet:
    return open_samples(path, PREPROCESS, (INPUT,), **options)


@contextmanager
def without_privileges() -> Iterator[None]:
    """As a user whom file permissions bind, also where tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_folder_gives_images_below_it_sorted_and_preprocessed(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["b.png", "a/z.png", "a/c.JPG", "a.png"])
    samples = open_(tmp_path)
    assert samples.ids == ("a.png", "a/c.JPG", "a/z.png", "b.png")
    assert len(samples) == 4
    assert (samples.kind, samples.skipped, samples.notices) == ("folder", (), ())
    for sample in samples:
        assert sample.pictures[0].path == tmp_path / sample.id
        image = read_image(sample.pictures[0].path)
        tensor, transform = preprocess(image, PREPROCESS)
        np.testing.assert_array_equal(sample.pictures[0].image, image)
        np.testing.assert_array_equal(tensor_of(sample), tensor)
        assert sample.pictures[0].transform == transform


def test_samples_iterate_again_and_again(tmp_path: Path) -> None:
    samples = open_(write_pictures(tmp_path, ["a.png", "b.png"]))
    assert [sample.id for sample in samples] == ["a.png", "b.png"]
    assert [sample.id for sample in samples] == ["a.png", "b.png"]


def test_other_files_are_reported_and_hidden_ones_passed_over(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png", ".b.png", ".thumbs/c.png"])
    for name in ("1.txt", "2.cache", "3.json", "4"):
        (tmp_path / name).write_text("")
    samples = open_(tmp_path)
    assert samples.ids == ("a.png",)
    assert samples.notices == (
        "4 files that are no images were ignored: 1.txt, 2.cache, 3.json and 1 more.",
    )


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["data/a.png", "elsewhere/b.png"])
    (tmp_path / "data" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data")
    assert open_(tmp_path / "data").ids == ("a.png", "link/b.png")


def test_choice_is_this_one_on_every_platform(tmp_path: Path) -> None:
    write_pictures(tmp_path, [f"{number:02d}.png" for number in range(20)])
    assert open_(tmp_path, count=4, seed=0).ids == ("01.png", "08.png", "12.png", "13.png")
    assert open_(tmp_path, count=4, seed=1).ids == ("02.png", "04.png", "08.png", "18.png")


def test_choice_and_fingerprint_do_not_depend_on_the_place(tmp_path: Path) -> None:
    write_pictures(tmp_path / "x", [f"{number}.png" for number in range(9)])
    shutil.copytree(tmp_path / "x", tmp_path / "deep" / "y")
    first = open_(tmp_path / "x", count=3, seed=5)
    second = open_(tmp_path / "deep" / "y", count=3, seed=5)
    assert first.ids == second.ids
    assert first.fingerprint() == second.fingerprint()


def test_fingerprint_depends_on_content_preprocessing_choice_and_input(tmp_path: Path) -> None:
    write_pictures(tmp_path, [f"{number}.png" for number in range(9)])
    bgr = PreprocessSpec(width=16, height=8, channel_order="BGR")
    uint8 = TensorSpec(name="images", shape=(1, 3, 8, 16), dtype="uint8", layout="NCHW")
    prints = [
        open_(tmp_path, count=3).fingerprint(),
        open_(tmp_path, count=3, seed=1).fingerprint(),
        open_(tmp_path, count=4).fingerprint(),
        open_samples(tmp_path, bgr, (INPUT,), 3).fingerprint(),
        open_samples(tmp_path, PREPROCESS, (uint8,), 3).fingerprint(),
    ]
    chosen = open_(tmp_path, count=3).ids[0]
    cv2.imwrite(str(tmp_path / chosen), picture(99))
    prints.append(open_(tmp_path, count=3).fingerprint())
    assert len(set(prints)) == 6


def test_more_than_there_are_is_all(tmp_path: Path) -> None:
    samples = open_(write_pictures(tmp_path / "photos", ["a.png", "b.png"]), count=5)
    assert samples.ids == ("a.png", "b.png")


@pytest.mark.parametrize("count", [0, -3])
def test_no_samples_cannot_be_asked_for(tmp_path: Path, count: int) -> None:
    with pytest.raises(UsageError, match=f"{count} samples"):
        open_(write_pictures(tmp_path, ["a.png"]), count=count)


def damage(folder: Path) -> None:
    content = (folder / "a.jpg").read_bytes()
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "half.jpg").write_bytes(content[: len(content) // 2])
    (folder / "text.jpg").write_text("not a picture")


def test_unreadable_images_are_named_and_not_replaced(tmp_path: Path) -> None:
    damage(write_pictures(tmp_path, ["a.jpg", "b.jpg", "c.jpg"]))
    samples = open_(tmp_path)
    assert samples.ids == ("a.jpg", "b.jpg", "c.jpg")
    assert [name for name, _ in samples.skipped] == ["empty.jpg", "half.jpg", "text.jpg"]
    assert dict(samples.skipped)["empty.jpg"] == "is empty."
    assert all(str(tmp_path) not in reason for _, reason in samples.skipped)
    assert [sample.id for sample in samples] == list(samples.ids)


def test_fewer_than_half_readable_is_refused(tmp_path: Path) -> None:
    damage(write_pictures(tmp_path, ["a.jpg", "b.jpg"]))
    with pytest.raises(InputError) as caught:
        open_(tmp_path)
    assert "Only 2 of 5 samples" in caught.value.message
    assert "can be read: empty.jpg is empty, half.jpg is " in caught.value.message


def test_link_to_nowhere_is_skipped(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png"])
    (tmp_path / "b.png").symlink_to("nowhere.png")
    assert [name for name, _ in open_(tmp_path).skipped] == ["b.png"]


def test_file_that_may_not_be_read_is_skipped() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folder is closed to other users
        folder = write_pictures(Path(name), ["a.png", "b.png", "closed/c.png"])
        folder.chmod(0o755)
        (folder / "b.png").chmod(0)
        (folder / "closed").chmod(0)
        with without_privileges():
            samples = open_(folder)
        (folder / "closed").chmod(0o700)
    assert samples.ids == ("a.png",)
    assert samples.skipped == (("b.png", "cannot be read: Permission denied."),)
    assert samples.notices == ("1 folders could not be read: closed.",)


def test_folder_that_may_not_be_read_is_an_input_error() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0)
        with without_privileges(), pytest.raises(InputError, match="Permission denied") as caught:
            open_(folder)
        folder.chmod(0o700)
    assert caught.value.hint == "Check the path and its permissions."


def test_file_that_vanishes_later_is_named(tmp_path: Path) -> None:
    samples = open_(write_pictures(tmp_path, ["a.png", "b.png"]))
    (tmp_path / "b.png").unlink()
    with pytest.raises(InputError, match=r"b\.png could be read at first; now it does not exist\."):
        list(samples)
    with pytest.raises(UsageError, match=r"There is no file .*b\.png"):
        samples.fingerprint()


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InputError, match="holds no images"):
        open_(tmp_path)


def test_missing_path_and_unknown_kind_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no file or folder .*none"):
        open_(tmp_path / "none")
    (tmp_path / "samples.tar").write_text("")
    with pytest.raises(UsageError, match="no known kind"):
        open_(tmp_path / "samples.tar")


def test_pictures_need_preprocessing_that_fits_the_input(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png"])
    with pytest.raises(UsageError, match="not known"):
        open_samples(tmp_path, None, (INPUT,))
    with pytest.raises(InputError, match=r"\[1, 3, 9, 16\], but .* \[1, 3, 8, 16\]"):
        open_samples(tmp_path, PreprocessSpec(width=16, height=9), (INPUT,))
    with pytest.raises(InputError, match=r"\[1, 8, 16, 3\]"):
        open_samples(tmp_path, PreprocessSpec(width=16, height=8, layout="NHWC"), (INPUT,))


def test_single_image_is_one_sample(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png"])
    samples = open_(tmp_path / "a.png")
    assert (samples.kind, samples.ids) == ("image", ("a.png",))


def test_uint8_input_takes_the_pixels(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png"])
    uint8 = TensorSpec(name="images", shape=(1, 3, 8, 16), dtype="uint8", layout="NCHW")
    (sample,) = open_samples(tmp_path, PREPROCESS, (uint8,))
    assert tensor_of(sample).dtype == np.uint8


def write_video(path: Path, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for number in range(frames):
        writer.write(np.full((48, 64, 3), (0, 0, number * 10), np.uint8))  # BGR
    writer.release()
    return path


@pytest.mark.parametrize(
    ("count", "expected"),
    [(None, range(10)), (20, range(10)), (10, range(10)), (2, (2, 7)), (3, (1, 5, 8)), (1, (5,))],
)
def test_pictures_are_spread_evenly_where_no_seed_is_given(
    tmp_path: Path, count: int | None, expected: Sequence[int]
) -> None:
    write_pictures(tmp_path, [f"{number}.png" for number in range(10)])
    samples = open_(tmp_path, count=count, seed=None)
    assert samples.ids == tuple(f"{at}.png" for at in expected)


def test_video_gives_frames_evenly_spread(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 20)
    samples = open_(path, count=4)
    assert samples.kind == "video"
    assert samples.ids == ("frame-000002", "frame-000007", "frame-000012", "frame-000017")
    reds = [float(np.mean(image_of(sample)[..., 0])) for sample in samples]
    np.testing.assert_allclose(reds, [20, 70, 120, 170], atol=5)
    assert len(open_(path)) == 20
    assert open_(path, count=4).fingerprint() != open_(path, count=5).fingerprint()


def test_no_video_is_decoded_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.avi", 3)

    def refuse(*_: object) -> None:
        raise AssertionError("a strange file's crash would be ours")

    monkeypatch.setattr(cv2, "VideoCapture", refuse)
    assert len(list(open_(path, count=2))) == 2


def test_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.avi").write_bytes(b"junk" * 100)
    with pytest.raises(InputError, match="not a video"):
        open_(tmp_path / "a.avi")


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


def test_memory_does_not_grow_with_the_number_of_samples(tmp_path: Path) -> None:
    wide = PreprocessSpec(width=256, height=256)
    spec = TensorSpec(name="images", shape=(1, 3, 256, 256), dtype="float32", layout="NCHW")
    write_pictures(tmp_path, [f"{number:02d}.png" for number in range(40)])

    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in open_samples(tmp_path, wide, (spec,), count):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    tensor_bytes = 3 * 256 * 256 * 4
    peak(2)
    assert peak(40) < peak(4) + tensor_bytes // 2


def test_calibration_info_holds_no_path(tmp_path: Path) -> None:
    samples = open_(write_pictures(tmp_path / "photos", ["a.png", "b.png"]), count=1, seed=3)
    info = calibration_info(samples, tmp_path / "photos", 3)
    assert (info.source, info.count, info.seed, info.ids) == ("photos", 1, 3, samples.ids)


@pytest.mark.real_model
def test_photos_of_the_data_folder_are_all_readable(data_folder: Path) -> None:
    samples = open_(data_folder / "coco128" / "images", count=64)
    assert (len(samples), samples.skipped, samples.notices) == (64, (), ())
