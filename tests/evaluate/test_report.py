"""The figures that a manifest repeats are the report's."""

from __future__ import annotations

import msgspec
import pytest

from mobileq.evaluate.numeric import OutputComparison, RoleComparison
from mobileq.evaluate.report import ArtifactScores, Report, Validation
from mobileq.evaluate.verify import Verification
from mobileq.manifest import from_json, to_json
from mobileq.tasks.base import Figures, measure_of


def comparison(sqnr_db: float | None, cosine: float) -> OutputComparison:
    return OutputComparison(
        name="y",
        shape=(1,),
        sqnr_db=sqnr_db,
        cosine=cosine,
        max_abs_error=0.0,
        max_rel_error=0.0,
        largest_excess=0.0,
        finite=True,
    )


def verification(*outputs: OutputComparison, agreement: Figures | None = None):
    return Verification(
        reference="onnxruntime",
        interpreter="it",
        sample_ids=("a",),
        tolerance=None,
        outputs=outputs,
        agreement=agreement,
    )


BOXES = measure_of("detect")
AGREEMENT: Figures = {"map50_95": 0.98765432, "map50": 0.99, "reference_count": 3}
SCORES: Figures = {"map50_95": 0.3352111, "map50": 0.5432199, "per_class": {"1": 0.5}}


def scores(name: str, **fields) -> ArtifactScores:
    return ArtifactScores(name=name, interpreter="it", size_bytes=10, latency_ms=2.34567, **fields)


@pytest.fixture
def report() -> Report:
    return Report(
        verifications={
            "tflite-int8": verification(
                comparison(31.239, 0.99999949), comparison(25.555, 0.98), agreement=AGREEMENT
            ),
            "tflite-fp32": verification(comparison(None, 1.0)),
        },
        validation=Validation(
            images=128,
            annotations="val.json",
            machine="a machine",
            scores=(scores("onnx", accuracy=SCORES), scores("tflite-int8", accuracy=SCORES)),
        ),
    )


def test_worst_output_stands_for_the_file(report):
    found = report.measurements("tflite-int8", BOXES)
    assert found["sqnr_db"] == 25.55
    assert found["cosine"] == 0.98


def test_roles_stand_for_their_outputs(report):
    scores = RoleComparison(role="class_logits", outputs=("y", "z"), sqnr_db=29.511, cosine=0.99)
    silent = RoleComparison(role="x", outputs=("x",), sqnr_db=-9.0, cosine=0.1, silent=True)
    old = report.verifications["tflite-int8"]
    new = msgspec.structs.replace(old, roles=(scores, silent))
    found = msgspec.structs.replace(report, verifications={"tflite-int8": new})
    measured = found.measurements("tflite-int8", BOXES)
    assert (measured["sqnr_db"], measured["cosine"]) == (29.51, 0.99)


def test_validation_of_the_file_is_repeated(report):
    found = report.measurements("tflite-int8", BOXES)
    assert found["latency_ms"] == 2.346
    assert (found["map50_95"], found["map50"]) == (0.3352, 0.5432)
    assert found["agreement_map50_95"] == 0.9877


def test_what_was_not_measured_is_left_out(report):
    assert report.measurements("tflite-fp32", BOXES) == {"cosine": 1.0}
    without = msgspec.structs.replace(report, validation=None)
    assert set(without.measurements("tflite-int8", BOXES)) == {
        "sqnr_db",
        "cosine",
        "agreement_map50_95",
    }


def test_file_without_labels_has_a_latency_but_no_accuracy(report):
    validation = msgspec.structs.replace(report.validation, scores=(scores("tflite-fp32"),))
    found = msgspec.structs.replace(report, validation=validation)
    assert found.measurements("tflite-fp32", BOXES) == {"cosine": 1.0, "latency_ms": 2.346}


def test_figures_of_boxes_are_written_as_they_have_always_been(report):
    """Whole numbers stay whole: an older mobileq reads them strictly."""
    agreement = {
        **{"map50_95": 1.0, "map50": 0.75, "recall": 1.0, "precision": 0.5, "mean_iou": 0.0},
        **{"max_box_difference": 0.25, "max_score_difference": 0.0},
        **{"reference_count": 12, "candidate_count": 12, "matched_count": 0},
    }
    accuracy = {
        **{"map50_95": 0.0, "map50": 0.0, "map75": 0.0, "image_count": 128},
        "per_class": {"1": 0.25, "90": 0.0},
    }
    fields = {"name": "onnx", "interpreter": "it", "size_bytes": 10, "latency_ms": 2.5}
    written = {**fields, "accuracy": accuracy, "agreement": agreement}
    document = to_json(written)
    found = from_json(document, ArtifactScores, "report.json")
    assert set(msgspec.json.decode(to_json(found))) == {*written, "cosine", "lost", "sqnr_db"}
    assert to_json([found.accuracy, found.agreement]) == to_json([accuracy, agreement])


def test_file_that_is_not_in_the_report_is_a_key_error(report):
    with pytest.raises(KeyError):
        report.measurements("tflite-fp16", BOXES)


def test_report_comes_back_from_json(report):
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_verification_without_outputs_has_no_worst():
    found = verification()
    assert (found.worst_sqnr_db, found.worst_cosine) == (None, 1.0)
