from __future__ import annotations

import numpy as np
import pytest

from mobileq.errors import InputError
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.detect.decode import decode

ROLES = ("boxes", "classes", "scores", "count")


def spec(*roles: str, head: str = "decoded") -> DecodeSpec:
    return DecodeSpec(
        kind="ssd",
        class_count=90,
        outputs=tuple(HeadOutput(name=role, role=role) for role in roles or ROLES),
        head=head,
        box_format="yxyx",
        box_unit="normalized",
    )


def outputs(count: float = 4) -> dict[str, np.ndarray]:
    boxes = [[0.1, 0.2, 0.5, 0.6], [0, 0, 1, 1], [0, 0, 1, 1], [0.5, 0.5, 1, 1], [0, 0, 1, 1]]
    return {
        "boxes": np.array([boxes], np.float32),
        "classes": np.array([[16.999, 0, 90, 2, 3]], np.float32),
        "scores": np.array([[0.9, 0.2, 0.8, 0.7, 0.6]], np.float32),
        "count": np.array([count], np.float32),
    }


def test_boxes_are_counted_scaled_and_known():
    found = decode(spec(), outputs(), 300, 200, 0.5)
    assert not found.needs_nms
    np.testing.assert_allclose(found.xyxy, [[60, 20, 180, 100], [150, 100, 300, 200]], atol=1e-4)
    assert found.score is not None
    assert found.class_id is not None
    assert found.class_id.tolist() == [17, 2]  # 90 is no class; the fifth is beyond the count
    assert found.score.tolist() == pytest.approx([0.9, 0.7])


def test_without_a_count_all_rows_are_read():
    found = decode(spec("boxes", "classes", "scores"), outputs(), 300, 200)
    assert len(found) == 4


@pytest.mark.parametrize("count", [0, np.nan, -3])
def test_counts_of_nothing_give_nothing(count):
    assert len(decode(spec(), outputs(count), 300, 200)) == 0


def test_as_many_boxes_as_coordinates_are_not_turned():
    four = {name: array[:, :4] for name, array in outputs().items() if name != "count"}
    found = decode(spec("boxes", "classes", "scores"), four, 300, 200, 0.85)
    np.testing.assert_allclose(found.xyxy, [[60, 20, 180, 100]], atol=1e-4)


def test_outputs_of_different_lengths_are_noticed():
    wrong = outputs() | {"scores": np.zeros((1, 3), np.float32)}
    with pytest.raises(InputError, match="5 boxes, 5 classes and 3 scores"):
        decode(spec(), wrong, 300, 200)


def test_there_is_no_raw_head():
    with pytest.raises(InputError, match="no raw outputs"):
        decode(spec(head="raw"), outputs(), 300, 200)
