"""Samples: the same choice everywhere, one at a time, and what cannot be read is named."""

import os
import shutil
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from mobileq.calibration.samples import calibration_info, open_samples
from mobileq.errors import InputError, UsageError
from mobileq.spec import PreprocessSpec, TensorSpec
from mobileq.vision.preprocess import preprocess, read_image

from .picture_files import INPUT, PREPROCESS, open_, picture, tensor_of, write_pictures


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
