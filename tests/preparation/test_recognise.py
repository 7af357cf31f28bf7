from __future__ import annotations

import re
from pathlib import Path

import pytest

from mobileq import tasks
from mobileq.errors import InputError, UsageError
from mobileq.preparation.recognise import families, recognise, recognise_shapes
from mobileq.tasks import base
from mobileq.tasks.recognition import recognisers
from tests.graph.builders import (
    NAMES4,
    NCHW640,
    TOTAL,
    outputs_of,
    picture,
    yolov8,
)


class TestOtherModels:
    def test_unknown_model_lists_a_reason_for_every_family_of_heads(self) -> None:
        found = recognise_shapes(NCHW640, outputs_of((1, 300, 84)), {})
        assert (found.spec.task, found.spec.family, found.spec.decode) == ("unknown", None, None)
        # Families of classifiers are ways to prepare pictures: there is one reason, no row.
        assert set(found.reasons) == set(dict(recognisers())["detect"].FAMILIES)
        assert all(found.reasons.values())
        assert "--spec" in found.notices[0]

    def test_task_that_is_not_read_is_named_and_nothing_else_said(self) -> None:
        metadata = {"task": " Pose"}
        found = recognise_shapes(picture(1, 2, 8, 8), outputs_of((1, 56, 8400)), metadata)
        assert found.spec.task == "unknown"
        assert [notice[:35] for notice in found.notices] == ["The file gives its task as 'pose', "]

    @pytest.mark.parametrize("outputs", [((1, 4, 640, 640),), ((1, 1),), ((1, 512),)])
    def test_words_for_other_models_are_neutral(self, outputs: tuple[tuple[int, ...], ...]) -> None:
        told = " ".join(recognise_shapes(NCHW640, outputs_of(*outputs), {}).notices).lower()
        words = set(re.findall("[a-z0-9]+", told))
        assert not words & {"box", "boxes", "anchors", "detections", "detector", *families()}

    def test_picture_of_an_unknown_model_is_fed_as_most_are(self) -> None:
        found = recognise_shapes(picture(1, 48, 64, 3, dtype="uint8"), outputs_of((1, 5)), {})
        guess = found.spec.preprocess
        assert guess is not None
        assert (guess.width, guess.height, guess.layout) == (64, 48, "NHWC")
        assert (guess.rescale_factor, guess.image_mean) == (1.0, (0.0,) * 3)
        assert "RGB, letterboxed" in found.notices[1]
        found = recognise_shapes(picture(2, 1, 48, 64), outputs_of((2, 5)), {})
        assert found.spec.preprocess is not None
        assert found.spec.preprocess.channel_order == "GRAY"
        assert "GRAY, divided by 255, letterboxed" in found.notices[1]

    @pytest.mark.parametrize(
        ("shape", "dtype"),
        [
            ((2, 2, 64, 64), "float32"),
            ((1, 2, 5, 5), "float32"),  # a picture has three channels, or one
            ((3, 4, 5, 1), "float32"),
            ((3, 5, 5), "float32"),
            ((1, 3, 8, 8), "int64"),
            ((1, 3, 8), "float32"),
        ],
    )
    def test_no_picture_is_guessed_where_none_fits(
        self, shape: tuple[int, ...], dtype: str
    ) -> None:
        found = recognise_shapes(picture(*shape, dtype=dtype), outputs_of((1, 5)), {})
        assert found.spec.preprocess is None
        assert len(found.notices) == 1

    def test_of_several_inputs_none_is_fed_pictures(self) -> None:
        found = recognise_shapes(NCHW640 * 2, outputs_of((1, 1)), {})
        assert found.spec.preprocess is None
        assert "Pictures" not in " ".join(found.notices)

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
        assert found.spec.family is None
        assert reason in found.reasons["yolov8"]

    def test_gray_picture_is_a_picture(self) -> None:
        found = recognise_shapes(picture(1, 1, 640, 640), outputs_of((1, 84, 8400)), {})
        assert found.spec.family == "yolov8"
        assert found.spec.preprocess is not None
        assert found.spec.preprocess.channel_order == "GRAY"
        assert (found.spec.preprocess.image_mean, found.spec.preprocess.image_std) == (
            (0.0,),
            (1.0,),
        )

    def test_batch_is_read_picture_by_picture(self) -> None:
        found = recognise_shapes(picture(4, 3, 640, 640), outputs_of((4, 84, 8400)), {})
        assert found.spec.family == "yolov8"

    def test_two_inputs_are_the_reason(self) -> None:
        found = recognise_shapes(NCHW640 * 2, outputs_of((1, 84, 8400)), {})
        assert "2 inputs" in found.reasons["yolov8"]


class TestNewTask:
    @pytest.fixture(autouse=True)
    def toy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A room that nobody here names but by its place in the list."""
        rooms = Path(__file__).resolve().parents[1] / "tasks" / "rooms"
        monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(rooms)])
        monkeypatch.setattr(base, "ROOMS", ("toy", *base.ROOMS))

    def test_its_models_families_and_labels_are_known(self) -> None:
        found = recognise_shapes(NCHW640, outputs_of((1, 4)), {}, labels="paints")
        assert (found.spec.task, found.spec.family) == ("toy", "colours")
        assert found.spec.labels == ("red", "green", "blue", "white")
        assert found.notices == ()
        assert "colours" in families()

    def test_others_are_left_to_the_next_room(self) -> None:
        assert recognise(yolov8()).spec.task == "detect"

    def test_its_family_can_be_insisted_on(self) -> None:
        with pytest.raises(UsageError, match="of the family colours: it does not give four"):
            recognise(yolov8(), family="colours")

    def test_its_name_in_a_file_is_one_that_is_read(self) -> None:
        found = recognise_shapes(NCHW640, outputs_of((1, 5)), {"task": "toy"})
        assert "which mobileq does not read" not in " ".join(found.notices)

    def test_its_own_lists_are_told_where_names_are_missing(self) -> None:
        (notice,) = recognise_shapes(NCHW640, outputs_of((1, 4)), {}).notices
        assert notice.endswith("(one per line, or a data.yaml) or paints.")
        known = recognise_shapes(NCHW640, outputs_of((1, 84, 8400)), {}).notices
        assert known[-1].endswith("data.yaml), coco80 or coco91.")
        # Nobody has 80 names for the 4 classes of this one.
        assert recognise(yolov8()).notices[0].endswith("(one per line, or a data.yaml).")


class TestForcedFamily:
    def test_family_overrules_habit(self) -> None:
        outputs = outputs_of((1, 8400, 85))
        found = recognise_shapes(NCHW640, outputs, {}, family="yolov8")
        assert found.spec.family == "yolov8"
        assert found.spec.decode is not None
        assert found.spec.decode.class_count == 81
        assert "--family" not in " ".join(found.notices)

    def test_named_end_to_end_family_stays(self) -> None:
        found = recognise_shapes(NCHW640, outputs_of((1, 300, 6)), {}, family="yolo26")
        assert found.spec.family == "yolo26"

    @pytest.mark.parametrize("family", families())
    def test_family_that_cannot_fit_says_why(self, family: str) -> None:
        with pytest.raises(UsageError) as caught:
            recognise_shapes(NCHW640, outputs_of((1, 17, 5, 3)), {}, family=family)
        assert family in caught.value.message
        assert caught.value.message.count(":") == 1

    def test_unknown_family_lists_the_known(self) -> None:
        with pytest.raises(UsageError, match="no family 'yolov99'") as caught:
            recognise(yolov8(), family="yolov99")
        assert "yolov8" in caught.value.hint


class TestLabels:
    def test_without_names_classes_are_numbered_with_a_notice(self) -> None:
        found = recognise(yolov8())
        assert found.spec.labels == ("class 0", "class 1", "class 2", "class 3")
        assert "--labels FILE" in found.notices[0]

    def test_labels_go_before_the_files_names(self) -> None:
        found = recognise(yolov8(metadata={"names": NAMES4}), labels=list("wxyz"))
        assert found.spec.labels == tuple("wxyz")

    def test_wrong_number_of_labels_says_both(self) -> None:
        with pytest.raises(InputError, match="80 labels, but the model has 4 classes"):
            recognise(yolov8(), labels="coco80")

    def test_labels_replace_stale_names_of_the_file(self) -> None:
        model = yolov8(metadata={"names": "['only one']"})
        assert recognise(model).spec.family is None
        assert recognise(model, labels=list("abcd")).spec.family == "yolov8"


def test_number_of_anchors_of_the_test_models_is_that_of_the_picture() -> None:
    assert TOTAL == 12 * 8 + 6 * 4 + 3 * 2
