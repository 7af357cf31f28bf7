"""What a person may give as pictures, and what becomes of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from mobileq.errors import InputError, UsageError
from mobileq.workflows.pictures import Pictures

RED = np.zeros((6, 8, 3), np.uint8)
RED[..., 0] = 255


def png(path: Path, picture: np.ndarray = RED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture[:, :, ::-1])
    return path


def video(path: Path, shades: tuple[int, ...] = (0, 100, 200)) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 12.5, (32, 16))
    for shade in shades:
        writer.write(np.full((16, 32, 3), shade, np.uint8))
    writer.release()
    return path


def test_one_path_is_one_picture_as_text_and_as_path(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png")
    for given in (str(path), path, [path], (str(path),)):
        pictures = Pictures(given)
        [picture] = pictures
        assert (pictures.count, pictures.files) == (1, [path])
        assert (picture.name, picture.path, picture.frame) == (str(path), path, None)
        np.testing.assert_array_equal(picture.image, RED)


def test_folders_and_patterns_are_sorted(tmp_path: Path) -> None:
    paths = [png(tmp_path / name) for name in ("a.png", "b.png", "below/c.png")]
    assert Pictures(tmp_path).files == paths
    assert Pictures(str(tmp_path / "*.png")).files == paths[:2]
    assert Pictures([tmp_path / "**" / "*.png"]).files == paths
    odd = png(tmp_path / "odd[1].png")
    assert Pictures(odd).files == [odd], "a name that looks like a pattern"


def test_files_that_are_no_pictures_are_told(tmp_path: Path) -> None:
    png(tmp_path / "a.png")
    (tmp_path / "notes.txt").touch()
    assert Pictures(tmp_path).notices == ("1 files that are no images were ignored: notes.txt.",)


def test_a_gif_in_a_folder_gives_its_first_frame(tmp_path: Path) -> None:
    second = np.zeros_like(RED)
    animation = cv2.Animation()
    animation.frames = [np.ascontiguousarray(each[:, :, ::-1]) for each in (RED, second)]
    animation.durations = np.array([100, 100])
    assert cv2.imwriteanimation(str(tmp_path / "a.gif"), animation)
    [picture] = Pictures(tmp_path)
    assert picture.image is not None
    assert abs(picture.image.astype(int) - RED).max() < 16, "GIF has few colours"


def test_frames_of_a_video_come_in_order_and_with_their_number(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4")
    pictures = Pictures([path, RED])
    assert (pictures.count, pictures.files) == (None, None)
    *frames, last = pictures
    assert [frame.frame for frame in frames] == [0, 1, 2]
    assert {frame.name for frame in frames} == {str(path)}
    assert {frame.frames_per_second for frame in frames} == {12.5}
    shades = [float(frame.image.mean()) for frame in frames if frame.image is not None]
    assert shades == pytest.approx([0, 100, 200], abs=4)
    assert (last.name, last.frame) == ("picture 2", None)


def test_what_cannot_be_read_is_said_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("words")
    (tmp_path / "b.mp4").write_text("words")
    good = png(tmp_path / "c.png")
    first, second, third = Pictures([tmp_path / "a.png", tmp_path / "b.mp4", good])
    assert first.image is second.image is None
    assert first.problem == f"{tmp_path / 'a.png'} is not a picture that can be decoded."
    assert second.problem == f"{tmp_path / 'b.mp4'} is not a video that can be decoded."
    assert third.image is not None


class PillowPalette:
    """As Pillow's pictures of mode "P", whose array holds places in a palette."""

    mode = "P"
    __array_interface__ = np.zeros((6, 8), np.uint8).__array_interface__

    def convert(self, mode: str) -> np.ndarray:
        assert mode == "RGB"
        return RED


@pytest.mark.parametrize(
    "array",
    [
        RED,
        np.dstack([RED, np.full(RED.shape[:2], 7, np.uint8)]),
        RED[::-1][::-1],
        PillowPalette(),
    ],
    ids=["rgb", "rgba", "strided", "palette"],
)
def test_arrays_are_pictures_in_rgb(array: np.ndarray) -> None:
    [picture] = Pictures(array)
    assert picture.image is not None
    assert picture.image.flags.c_contiguous
    np.testing.assert_array_equal(picture.image, RED)


def test_grey_becomes_three_channels_and_stacks_several() -> None:
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    for given in (grey, grey[..., np.newaxis]):
        [picture] = Pictures(given)
        np.testing.assert_array_equal(picture.image, np.dstack([grey] * 3))
    stack = np.stack([RED, RED // 2])
    pictures = Pictures(stack)
    assert (pictures.count, pictures.files) == (2, None)
    for picture, expected in zip(pictures, stack, strict=True):
        np.testing.assert_array_equal(picture.image, expected)


@pytest.mark.parametrize(
    "array",
    [
        RED / 255,
        RED.transpose(2, 0, 1),
        RED.astype(np.int64),
        RED > 0,
        np.zeros((0, 8, 3), np.uint8),
        np.uint8(3),
        np.array(["a.png"]),
    ],
    ids=["float", "planes", "int64", "bool", "empty", "scalar", "text"],
)
def test_arrays_that_may_be_something_else_are_refused(array: np.ndarray) -> None:
    with pytest.raises(UsageError, match="is no picture") as caught:
        Pictures(array)
    assert "uint8 arrays [height, width, 3] in RGB" in caught.value.hint


def test_what_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no picture .*missing\.jpg\."):
        Pictures([RED, tmp_path / "missing.jpg"])
    with pytest.raises(UsageError, match=r"There is no picture that .*\*\.jpg matches\."):
        Pictures(tmp_path / "*.jpg")
    with pytest.raises(InputError, match="holds no images"):
        Pictures(tmp_path)
    with pytest.raises(UsageError, match="No pictures were given"):
        Pictures([])
    with pytest.raises(UsageError, match="A int is no picture"):
        Pictures(3)  # type: ignore[arg-type]
    shutil.rmtree(tmp_path)
