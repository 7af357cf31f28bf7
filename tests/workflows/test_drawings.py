"""Pictures and videos with boxes on disk."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mobileq.errors import InputError
from mobileq.tasks.detect.detections import Detections
from mobileq.tasks.detect.draw import draw_detections
from mobileq.workflows.drawings import Drawings
from mobileq.workflows.pictures import Picture

GREY = np.full((48, 64, 3), 90, np.uint8)
ONE = Detections(
    xyxy=np.float32([[8, 20, 40, 40]]), score=np.float32([0.9]), class_id=np.int64([0])
)


def frame(path: str, number: int, picture: np.ndarray = GREY) -> Picture:
    return Picture(path, picture, path=Path(path), frame=number, frames_per_second=5.0)


def frames_of(path: Path) -> int:
    return int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))


def test_pictures_of_one_name_stay_apart(tmp_path: Path) -> None:
    with Drawings(tmp_path, draw_detections) as drawings:
        for path in ("a/street.png", "b/street.png", "c/street.mp4"):
            drawings.add(Picture(path, GREY, path=Path(path)), ONE)
        drawings.add(Picture("picture 5", GREY), ONE)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "picture-5.png",
        "street-2.png",
        "street.mp4.png",
        "street.png",
    ]
    drawn = cv2.imread(str(tmp_path / "street.png"))
    assert drawn.shape == GREY.shape
    assert (drawn != GREY).any()


def test_each_video_becomes_one_that_holds_its_frames(tmp_path: Path) -> None:
    with Drawings(tmp_path, draw_detections) as drawings:
        told = [drawings.add(frame("a/x.avi", number), ONE) for number in (0, 1, 3)]
        told.append(drawings.add(frame("b/x.avi", 2), ONE))
        told.append(drawings.add(frame("b/x.avi", 0), ONE))
    assert told == [str(tmp_path / name) for name in ("x.mp4",) * 3 + ("x-2.mp4", "x-3.mp4")]
    assert [frames_of(Path(path)) for path in told[2:]] == [3, 1, 1]


def test_a_video_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Drawings(tmp_path, draw_detections) as drawings:  # noqa: PT012
        drawings.add(frame("a.avi", 0), ONE)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_lacks_frames_is_no_result(tmp_path: Path) -> None:
    # OpenCV's writer passes over a frame of another shape without a word.
    drawings = Drawings(tmp_path, draw_detections)
    drawings.add(frame("a.avi", 0), ONE)
    drawings.add(frame("a.avi", 1, GREY[:32]), ONE)
    with pytest.raises(InputError, match=r"a\.mp4 can't be written as a video"):
        drawings.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []
