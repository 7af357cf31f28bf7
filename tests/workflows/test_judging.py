"""What is wrong with a file is an error with a way out; what a person should know is said once."""

from __future__ import annotations

import msgspec
import pytest

from mobileq.errors import VerificationError
from mobileq.evaluate.numeric import OutputComparison
from mobileq.evaluate.verify import Verification
from mobileq.progress import Silent
from mobileq.spec import Artifact, Precision, QuantRecipe
from mobileq.targets.registry import load_target
from mobileq.tasks.base import Figures, measure_of
from mobileq.workflows.judging import Judge

TFLITE = load_target("tflite")
BOXES = measure_of("detect")


def _found(
    precision: Precision = "int8",
    sqnr_db: float = 30.0,
    agreement: Figures | None = None,
    problems: tuple[str, ...] = (),
) -> Verification:
    output = OutputComparison(
        name="y",
        shape=(1, 4),
        sqnr_db=sqnr_db,
        cosine=0.99,
        max_abs_error=0.1,
        max_rel_error=0.1,
        largest_excess=0.0,
        finite=True,
    )
    return Verification(
        reference="onnxruntime",
        interpreter="interpreter",
        sample_ids=("0.jpg",),
        tolerance=TFLITE.info.precision(precision).tolerance,
        outputs=(output,),
        agreement=agreement,
        problems=problems,
    )


def _artifact(precision: Precision) -> Artifact:
    return Artifact(
        target="tflite",
        precision=precision,
        path=f"models/net-{precision}.tflite",
        sha256="0" * 64,
        size_bytes=1,
        inputs=(),
        outputs=(),
        recipe=QuantRecipe(precision=precision),
    )


def _told(found: Verification, judge: Judge | None = None) -> list[str]:
    heard = Silent()
    judge = judge or Judge(BOXES, False, heard)
    judge.tell(TFLITE, QuantRecipe(precision="int8"), "net-int8.tflite", found)
    return heard.notices


def test_a_wrong_integer_file_names_the_gentler_precision() -> None:
    judge = Judge(None, False, Silent())
    wrong = _found(problems=("'y' has 1.0 dB SQNR, under the 6 that int8 needs",))
    with pytest.raises(VerificationError) as caught:
        judge.require_right(TFLITE, _artifact("int8"), wrong)
    assert caught.value.message == (
        "net-int8.tflite does not agree with the ONNX model: 'y' has 1.0 dB SQNR, under the 6 that "
        "int8 needs."
    )
    assert caught.value.hint == "Keep sensitive ops in float with --keep-float, or use dynamic."


def test_a_wrong_float_file_is_for_another_engine() -> None:
    judge = Judge(None, False, Silent())
    with pytest.raises(VerificationError) as caught:
        judge.require_right(TFLITE, _artifact("fp32"), _found("fp32", problems=("it is off",)))
    assert caught.value.hint == "Try the other --engine, or report the model."


def test_a_right_file_is_no_error_and_nothing_is_said_of_it() -> None:
    found = _found(agreement={"map50_95": 0.9, "reference_count": 40})
    Judge(BOXES, False, Silent()).require_right(TFLITE, _artifact("int8"), found)
    assert _told(found) == []


def test_a_file_that_finds_little_should_not_be_shipped() -> None:
    (said,) = _told(_found(agreement={"map50_95": 0.3, "reference_count": 40}))
    assert "(agreement 0.30): don't ship it" in said


def test_noise_without_answers_is_pointed_out_only_near_the_floor() -> None:
    (said,) = _told(_found(sqnr_db=9.0))
    assert said.startswith("net-int8.tflite has only 9.0 dB SQNR in its worst output")
    assert _told(_found(sqnr_db=16.0)) == []


def test_an_onnx_model_without_answers_is_noted_once_and_not_of_drawn_pictures() -> None:
    empty = _found(agreement={"map50_95": 1.0, "reference_count": 0})
    heard = Silent()
    judge = Judge(BOXES, False, heard)
    _told(empty, judge)
    _told(empty, judge)
    assert len(heard.notices) == 1
    assert "finds nothing in the pictures that files are compared on" in heard.notices[0]
    heard = Silent()
    _told(empty, Judge(BOXES, True, heard))
    assert heard.notices == []


def test_what_a_file_was_not_compared_on_is_told() -> None:
    found = msgspec.structs.replace(_found("fp32", 130.0), left_out=("probe-extremes",))
    (notice,) = _told(found)
    assert "gives other numbers on probe-extremes" in notice
    assert "net-int8.tflite was not compared on it" in notice
