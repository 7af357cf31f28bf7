from __future__ import annotations

import pytest

from mobileq.errors import UsageError
from mobileq.preparation.recognise import recognise, recognise_shapes
from mobileq.spec import QuantParams, TensorSpec
from mobileq.spec.decode import HeadOutput
from mobileq.tasks.detect.recognition import FAMILIES
from tests.graph.builders import (
    NAMES4,
    NCHW640,
    NHWC640,
    outputs_of,
    yolov8,
)
from tests.tasks.detect import split_builders


@pytest.mark.parametrize("transposed", [True, False])
def test_both_orders_are_recognised(transposed: bool) -> None:
    found = recognise(yolov8(transposed=transposed, metadata={"names": NAMES4}))
    assert (found.spec.family, found.spec.labels, found.notices) == ("yolov8", tuple("abcd"), ())
    assert found.spec.decode is not None
    assert (found.spec.decode.class_count, found.spec.decode.reg_max) == (4, 16)
    assert found.spec.decode.outputs == (HeadOutput(name="output0", role="predictions"),)


def test_corners_are_told_from_centres_where_channels_are_last() -> None:
    """PP-YOLOE's rows with `exclude_post_process`."""
    found = recognise(split_builders.ppyoloe(joined=True))
    assert found.spec.family == "yolov8"
    assert found.spec.decode is not None
    assert (found.spec.decode.box_format, found.spec.decode.box_unit) == ("xyxy", "pixel")
    assert found.spec.decode.strides == (32, 16, 8)
    assert "as PP-YOLOE's are" in found.questions["preprocess"]
    centres = recognise(yolov8(transposed=True))
    assert centres.spec.decode is not None
    assert centres.spec.decode.box_format == "cxcywh"
    assert "preprocess" not in centres.questions


def test_channels_after_the_scores_are_not_decoded() -> None:
    found = recognise(yolov8(extra=32))
    assert (found.spec.family, found.spec.task, found.spec.decode) == (None, "unknown", None)
    assert "last 32 values are no class scores" in found.reasons["yolov8"]


@pytest.mark.parametrize(("extra", "kind"), [(32, "mask"), (51, "keypoints"), (1, "angle")])
def test_more_channels_than_names_are_not_decoded(extra: int, kind: str) -> None:
    outputs = outputs_of((1, 8 + extra, 8400))
    found = recognise_shapes(NCHW640, outputs, {"names": NAMES4})
    if extra == 1:
        assert found.spec.family == "yolox"  # 9 = 5 + 4 as well
        return
    assert found.spec.family is None
    assert f"{extra} values more, like" in found.reasons["yolov8"]
    assert kind in found.reasons["yolov8"]


@pytest.mark.parametrize("task", ["segment", "pose", "obb", "Classify"])
def test_other_task_in_the_metadata_is_not_decoded(task: str) -> None:
    model = yolov8(metadata={"task": task, "names": NAMES4})
    found = recognise(model)
    assert (found.spec.family, found.spec.decode) == (None, None)
    assert set(found.reasons) == set(FAMILIES)
    assert f"task '{task.lower()}'" in found.reasons["yolov8"]
    with pytest.raises(UsageError, match=task.lower()):
        recognise(model, family="yolov8")


def test_quantized_output_of_small_range_has_normalized_boxes() -> None:
    for scale, unit in ((1 / 255, "normalized"), (2.6, "pixel")):
        quant = QuantParams(scale=(scale,), zero_point=(-128,))
        output = TensorSpec(name="o", shape=(1, 84, 8400), dtype="int8", quant=quant)
        found = recognise_shapes(NHWC640, (output,), {})
        assert found.spec.decode is not None
        assert found.spec.decode.box_unit == unit


def test_float_tflite_says_that_boxes_may_be_normalized() -> None:
    found = recognise_shapes(NHWC640, outputs_of((1, 84, 8400)), {})
    assert found.spec.preprocess is not None
    assert found.spec.preprocess.layout == "NHWC"
    assert "normalized" in " ".join(found.notices)
