from __future__ import annotations

import pytest

from mobileq.preparation.recognise import recognise, recognise_shapes
from tests.graph.builders import (
    NAMES4,
    NCHW640,
    end2end,
    outputs_of,
    suppressed,
)


def test_final_rows_are_recognised_with_the_class_count() -> None:
    found = recognise(end2end(9, metadata={"description": "Ultralytics YOLO26n model"}))
    assert found.spec.family == "yolo26"
    assert found.spec.decode is not None
    assert (found.spec.decode.kind, found.spec.decode.class_count) == ("end2end", 9)
    assert (found.spec.decode.box_format, found.spec.decode.box_unit) == ("xyxy", "pixel")


@pytest.mark.parametrize(
    ("description", "family"),
    [("Ultralytics YOLOv10n model", "yolov10"), ("YOLO26s", "yolo26"), ("", "yolov10")],
)
def test_family_is_named_by_the_description(description: str, family: str) -> None:
    metadata = {"description": description}
    found = recognise_shapes(NCHW640, outputs_of((1, 300, 6)), metadata)
    assert found.spec.family == family
    assert any("does not name its model" in n for n in found.notices) == (not description)


@pytest.mark.parametrize("description", ["Ultralytics YOLO11n model", "mine"])
def test_another_name_is_not_taken_for_none(description: str) -> None:
    found = recognise_shapes(NCHW640, outputs_of((1, 300, 6)), {"description": description})
    assert found.spec.family == "yolov10"
    (notice,) = (n for n in found.notices if "YOLOv10's" in n)
    assert "does not name" not in notice
    assert description in notice


def test_unknown_class_count_is_assumed_with_a_notice() -> None:
    found = recognise_shapes(NCHW640, outputs_of((1, -1, 6)), {})
    assert found.spec.decode is not None
    assert found.spec.decode.class_count == 80
    assert "80 are assumed" in " ".join(found.notices)


def test_two_classes_of_yolov8_are_not_final_rows() -> None:
    found = recognise_shapes(NCHW640, outputs_of((1, 8400, 6)), {"names": "['a', 'b']"})
    assert found.spec.family == "yolov8"
    one = recognise_shapes(NCHW640, outputs_of((1, 25200, 6)), {"names": "['a']"})
    assert one.spec.family == "yolov5"


def test_names_that_differ_from_the_graph_are_dropped_with_a_notice() -> None:
    found = recognise(end2end(9, metadata={"names": NAMES4}))
    assert found.spec.labels[8] == "class 8"
    assert "names 4 classes but the model has 9" in " ".join(found.notices)


def test_classes_are_counted_before_a_suppression_that_sees_one() -> None:
    found = recognise(suppressed(7))
    assert found.spec.decode is not None
    assert (found.spec.decode.kind, found.spec.decode.class_count) == ("end2end", 7)
