from __future__ import annotations

import pytest

from mobileq.errors import InputError, UsageError
from mobileq.preparation.recognise import FAMILIES, recognise, recognise_shapes
from tests.graph.builders import (
    NAMES4,
    NCHW640,
    TOTAL,
    outputs_of,
    picture,
    yolov8,
)


class TestOtherModels:
    def test_classifier_has_a_task_but_no_family_and_no_decoding(self) -> None:
        inputs = picture(1, 3, 224, 224)
        found = recognise_shapes(inputs, outputs_of((1, 1000)), {})
        assert (found.task, found.family, found.decode) == ("classify", None, None)
        assert len(found.labels) == 1000
        assert found.preprocess is not None
        assert "ImageNet" in found.notices[0]

    def test_ultralytics_classifier_is_a_classifier(self) -> None:
        metadata = {"task": "classify", "names": "['a', 'b']"}
        found = recognise_shapes(picture(1, 3, 224, 224), outputs_of((1, 2)), metadata)
        assert (found.task, found.labels) == ("classify", ("a", "b"))
        assert found.preprocess is not None
        assert (found.preprocess.image_mean, found.preprocess.image_std) == ((0,) * 3, (1,) * 3)
        assert "divided by 255, is assumed" in found.notices[0]

    def test_unknown_model_lists_a_reason_for_every_family(self) -> None:
        found = recognise_shapes(NCHW640, outputs_of((1, 300, 84)), {})
        assert (found.task, found.family, found.preprocess) == ("unknown", None, None)
        assert set(found.reasons) == set(FAMILIES)
        assert all(found.reasons.values())
        assert "--spec" in found.notices[0]

    @pytest.mark.parametrize(
        ("shape", "reason"),
        [
            ((4, 3, 640, 640), "no row for each of 4 pictures"),
            ((1, 4, 640, 640), "4 channels"),
            ((1, 3, 640), "no picture"),
            ((1, 3, -1, 640), "no fixed height and width"),
        ],
    )
    def test_input_that_is_no_picture_is_the_reason(
        self, shape: tuple[int, ...], reason: str
    ) -> None:
        found = recognise_shapes(picture(*shape), outputs_of((1, 84, 8400)), {})
        assert found.family is None
        assert reason in found.reasons["yolov8"]

    def test_gray_picture_is_a_picture(self) -> None:
        found = recognise_shapes(picture(1, 1, 640, 640), outputs_of((1, 84, 8400)), {})
        assert found.family == "yolov8"
        assert found.preprocess is not None
        assert found.preprocess.channel_order == "GRAY"
        assert (found.preprocess.image_mean, found.preprocess.image_std) == ((0.0,), (1.0,))

    def test_batch_is_read_picture_by_picture(self) -> None:
        found = recognise_shapes(picture(4, 3, 640, 640), outputs_of((4, 84, 8400)), {})
        assert found.family == "yolov8"

    def test_two_inputs_are_the_reason(self) -> None:
        found = recognise_shapes(NCHW640 * 2, outputs_of((1, 84, 8400)), {})
        assert "2 inputs" in found.reasons["yolov8"]


class TestForcedFamily:
    def test_family_overrules_habit(self) -> None:
        outputs = outputs_of((1, 8400, 85))
        found = recognise_shapes(NCHW640, outputs, {}, family="yolov8")
        assert found.family == "yolov8"
        assert found.decode is not None
        assert found.decode.class_count == 81
        assert "--family" not in " ".join(found.notices)

    def test_named_end_to_end_family_stays(self) -> None:
        found = recognise_shapes(NCHW640, outputs_of((1, 300, 6)), {}, family="yolo26")
        assert found.family == "yolo26"

    @pytest.mark.parametrize("family", FAMILIES)
    def test_family_that_cannot_fit_says_why(self, family: str) -> None:
        with pytest.raises(UsageError) as caught:
            recognise_shapes(NCHW640, outputs_of((1, 17)), {}, family=family)
        assert family in caught.value.message
        assert caught.value.message.count(":") == 1

    def test_unknown_family_lists_the_known(self) -> None:
        with pytest.raises(UsageError, match="no family 'yolov99'") as caught:
            recognise(yolov8(), family="yolov99")
        assert "yolov8" in caught.value.hint


class TestLabels:
    def test_without_names_classes_are_numbered_with_a_notice(self) -> None:
        found = recognise(yolov8())
        assert found.labels == ("class 0", "class 1", "class 2", "class 3")
        assert "--labels FILE" in found.notices[0]

    def test_labels_go_before_the_files_names(self) -> None:
        found = recognise(yolov8(metadata={"names": NAMES4}), labels=list("wxyz"))
        assert found.labels == tuple("wxyz")

    def test_wrong_number_of_labels_says_both(self) -> None:
        with pytest.raises(InputError, match="80 labels, but the model has 4 classes"):
            recognise(yolov8(), labels="coco80")

    def test_labels_replace_stale_names_of_the_file(self) -> None:
        model = yolov8(metadata={"names": "['only one']"})
        assert recognise(model).family is None
        assert recognise(model, labels=list("abcd")).family == "yolov8"


def test_number_of_anchors_of_the_test_models_is_that_of_the_picture() -> None:
    assert TOTAL == 12 * 8 + 6 * 4 + 3 * 2
