from __future__ import annotations

import numpy as np
import pytest

from mobileq.errors import InputError
from mobileq.spec import PreprocessSpec
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.detect.nms import Thresholds
from mobileq.tasks.detect.postprocess import postprocess
from mobileq.vision.letterbox import LetterboxTransform

SPEC = DecodeSpec(
    kind="yolov8", class_count=2, outputs=(HeadOutput(name="out", role="predictions"),)
)


def outputs(*rows: list[float]) -> dict[str, np.ndarray]:
    return {"out": np.array(rows, np.float32).T[np.newaxis]}


def test_boxes_come_back_to_the_source_picture_clipped():
    transform = LetterboxTransform.fit(200, 100, PreprocessSpec(width=100, height=100))
    found = postprocess(
        SPEC,
        outputs([50, 50, 20, 10, 0.9, 0.1], [95, 50, 30, 10, 0.1, 0.8], [50, 10, 9, 9, 0.7, 0]),
        transform,
        Thresholds.display(SPEC),
    )
    # Half the source's size, 25 rows of padding above; the third box lies in the padding.
    assert found.xyxy.tolist() == [[80, 40, 120, 60], [160, 40, 200, 60]]
    assert found.class_id.tolist() == [0, 1]
    assert found.score.tolist() == pytest.approx([0.9, 0.8])


def test_boxes_come_back_to_a_rotated_source():
    spec = PreprocessSpec(width=100, height=200)
    transform = LetterboxTransform.fit(400, 200, spec, 90)
    found = postprocess(
        SPEC, outputs([5, 10, 10, 20, 0.9, 0.1]), transform, Thresholds.display(SPEC)
    )
    # The upright picture's top left corner is the stored picture's bottom left one.
    assert found.xyxy.tolist() == [[0, 180, 40, 200]]


def test_garbage_gives_no_detections_and_no_warnings():
    transform = LetterboxTransform.fit(4000, 3000, PreprocessSpec(width=32, height=32))
    rows = outputs(
        [np.inf, 1, np.inf, 1, 1, 1],
        [np.nan] * 6,
        [1, 1, np.nan, 1, 1, 1],
        [3e38, 3e38, 3e38, 3e38, np.inf, 1],
    )
    assert len(postprocess(SPEC, rows, transform, Thresholds.evaluation())) == 0
    huge = postprocess(SPEC, outputs([0, 0, 3e38, 3e38, 1, 0]), transform, Thresholds.evaluation())
    assert huge.xyxy.tolist() == [[0, 0, 4000, 3000]]


def test_a_missing_output_is_named():
    transform = LetterboxTransform.fit(10, 10, PreprocessSpec(width=32, height=32))
    with pytest.raises(InputError, match="'out' is missing; there are 'other'"):
        postprocess(SPEC, {"other": np.zeros(3)}, transform, Thresholds.evaluation())
