"""Samples out of a video."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from mobileq.errors import InputError

from .picture_files import image_of, open_, write_pictures


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
