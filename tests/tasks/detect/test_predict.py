"""What `detect` gives: arrays, tables, pictures with boxes."""

from __future__ import annotations

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from mobileq.errors import InputError
from mobileq.tasks.detect.predict import DetectedObject, DetectionRun, PictureDetections

GREY = np.full((60, 90, 3), 90, np.uint8)
CAT = DetectedObject(label="cat <b>", class_id=3, score=0.9, xyxy=(10.0, 20.0, 50.0, 40.0))
DOG = DetectedObject(label="dog", class_id=1, score=0.5, xyxy=(0.0, 0.0, 9.0, 9.0))


def picture(
    image: str = "a/street.png", objects: tuple[DetectedObject, ...] = (CAT, DOG), **fields: object
) -> PictureDetections:
    return PictureDetections(image=image, objects=objects, **fields)  # type: ignore[arg-type]


def run(*pictures: PictureDetections) -> DetectionRun:
    return DetectionRun(model="tflite-int8", interpreter="x", pictures=pictures)


def test_objects_are_arrays_too() -> None:
    found = picture()
    np.testing.assert_array_equal(found.xyxy, np.float32([[10, 20, 50, 40], [0, 0, 9, 9]]))
    np.testing.assert_array_equal(found.score, np.float32([0.9, 0.5]))
    np.testing.assert_array_equal(found.class_id, [3, 1])
    nothing = picture(objects=())
    assert (nothing.xyxy.shape, nothing.score.shape, nothing.class_id.dtype) == (
        *((0, 4), (0,), np.int64),
    )


def test_a_given_array_is_drawn_into_and_never_in_the_json() -> None:
    found = picture("picture 1").with_pixels(GREY)
    drawn = found.draw()
    assert drawn.shape == GREY.shape
    assert (drawn[20:40, 10:50] != GREY[20:40, 10:50]).any()
    assert (GREY == 90).all()
    assert set(msgspec.to_builtins(found)) == {"image", "frame", "objects", "drawn"}
    assert msgspec.json.decode(msgspec.json.encode(found), type=PictureDetections) == found


def test_files_and_frames_are_read_again_where_they_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "street.png"
    cv2.imwrite(str(path), GREY)
    assert picture(str(path)).draw().shape == GREY.shape
    video = tmp_path / "street.mp4"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"mp4v"), 5.0, (90, 60))
    for shade in (0, 200):
        writer.write(np.full_like(GREY, shade))
    writer.release()
    assert picture(str(video), (), frame=1).draw().mean() == pytest.approx(200, abs=4)
    with pytest.raises(InputError, match="has no frame 2 any more"):
        picture(str(video), (), frame=2).draw()


def test_names_tell_file_and_frame() -> None:
    assert picture().name == "street.png"
    assert picture("a/b.mp4", frame=12).name == "b.mp4 #12"
    assert repr(picture()) == "<PictureDetections street.png: 1 cat <b>, 1 dog>"
    assert repr(run(picture())) == "<DetectionRun of tflite-int8: 2 objects in 1 picture>"


def test_a_run_has_the_order_of_its_pictures() -> None:
    first, second = picture("a.png"), picture("b.png")
    found = run(first, second)
    assert (len(found), found[1], list(found)) == (2, second, [first, second])


def test_print_shows_a_table_and_nothing_found_is_said() -> None:
    lines = str(run(picture())).splitlines()
    assert [line.split()[0] for line in lines] == ["picture", "street.png", "street.png"]
    assert "10, 20, 50, 40" in lines[1]
    assert str(run(picture(objects=()))) == "Nothing was found in 1 picture."


def test_notebooks_get_pictures_and_escaped_text() -> None:
    shown = run(picture("picture 1").with_pixels(GREY))._repr_html_()
    assert shown.count("data:image/jpeg;base64,") == 1
    assert "cat &lt;b&gt;" in shown
    assert "<b>" not in shown
    many = run(*(picture("picture 1", ()).with_pixels(GREY) for _ in range(20)))
    assert many._repr_html_().count("data:image/jpeg") == 8, "a notebook keeps what it shows"
    gone = picture("/none/street.png")._repr_html_()
    assert "data:image" not in gone
    assert "<table>" in gone
