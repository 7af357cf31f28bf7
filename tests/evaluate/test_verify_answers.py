"""Files are held against answers where these are known."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from mobileq.calibration.samples import Picture, Sample
from mobileq.errors import MobileqError
from mobileq.evaluate.verify import (
    Verification,
    run_reference,
    verify,
)
from mobileq.progress import Silent
from mobileq.spec import ModelSpec, PreprocessSpec, TensorSpec
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.vision.letterbox import LetterboxTransform

from .runners import TFLITE, Right, verified

DETECTOR = ModelSpec(
    name="detector",
    task="detect",
    family="end2end",
    inputs=(TensorSpec(name="x", shape=(1, 3, 64, 64), dtype="float32", layout="NCHW"),),
    outputs=(TensorSpec(name="y", shape=(1, 3, 6), dtype="float32"),),
    preprocess=PreprocessSpec(width=64, height=64),
    decode=DecodeSpec(
        kind="end2end",
        class_count=2,
        outputs=(HeadOutput(name="y", role="predictions"),),
        box_format="xyxy",
    ),
    labels=("cat", "dog"),
)


ROWS = np.array(
    [[[2, 2, 20, 20, 0.9, 0], [30, 30, 60, 60, 0.89, 1], [0, 40, 20, 60, 0.5, 0]]], np.float32
)


class Detector(Right):
    """Gives the same rows for every picture, in an order of its own."""

    inputs, outputs = DETECTOR.inputs, DETECTOR.outputs

    def __init__(self, rows):
        super().__init__()
        self._rows = rows

    def run(self, feeds):
        return {"y": self._rows}


def detector_reference():
    transform = LetterboxTransform.fit(64, 64, DETECTOR.preprocess)
    feeds = {"x": np.zeros((1, 3, 64, 64), np.float32)}
    sample = Sample("photo", feeds, (Picture(None, transform),))
    return run_reference(Detector(ROWS), DETECTOR, [sample], Silent())


def test_answers_are_those_of_the_outputs():
    reference = detector_reference()
    (found,) = reference[0].answers
    assert len(found) == 3
    without = Sample("tensors", {"x": np.zeros((1, 3, 64, 64), np.float32)})
    (tensors,) = run_reference(Detector(ROWS), DETECTOR, [without], Silent())
    assert tensors.answers == ()


def ranked(rows, precision="fp32", reference=None):
    reference = reference or detector_reference()
    runner = Detector(rows)
    return verify(
        runner, "ort", reference, DETECTOR, TFLITE.precision(precision), Silent(), ranked={"y": 1}
    )


def test_sorted_rows_that_swap_places_still_agree():
    found = ranked(ROWS[:, [1, 0, 2]])
    assert found.problems == ()
    assert found.agreement is not None
    assert (found.agreement["recall"], found.agreement["precision"]) == (1.0, 1.0)
    assert found.worst_sqnr_db is None
    # Without a rank in the graph rows have their places.
    assert verified(Detector(ROWS[:, [1, 0, 2]]), detector_reference(), "fp32", DETECTOR).problems


def test_sorted_rows_that_are_other_boxes_do_not():
    moved = ROWS.copy()
    moved[0, 2, :4] = [40, 0, 60, 20]
    (problem,) = ranked(moved).problems
    assert problem.startswith("'y' has ")
    assert ranked(moved, "int8").problems == (), "one of three objects is lost, which is not all"
    nearly = ROWS + np.float32(0.05)
    assert ranked(nearly, "int8").problems == ()


def test_empty_rows_that_became_copies_of_a_box_are_heard():
    """As MNN 3.6.1 does behind NonMaxSuppression, where detections agreed: all are the same box."""
    padded = np.concatenate([ROWS, np.zeros((1, 97, 6), np.float32)], axis=1)
    copies = padded.copy()
    copies[0, 3:] = ROWS[0, 0]
    reference = run_reference(
        Detector(padded), DETECTOR, [detector_reference()[0].sample], Silent()
    )
    for precision in ("fp32", "fp16", "int8"):
        found = verify(
            Detector(copies),
            "ort",
            reference,
            DETECTOR,
            TFLITE.precision(precision),
            Silent(),
            ranked={"y": 1},
        )
        assert len(found.problems) == 1, precision
    quiet = padded.copy()
    quiet[0, 3:] = [5, 5, 9, 9, 5e-4, 1]
    assert ranked(quiet, "fp32", reference).problems == (), "nobody looks at such scores"


SIZES = {"near": 4, "far": 2}


STRIDES = {"near": 8, "far": 16}


RAW = ModelSpec(
    name="raw",
    task="detect",
    family="yolov8",
    inputs=(TensorSpec(name="x", shape=(1, 3, 32, 32), dtype="float32", layout="NCHW"),),
    outputs=(
        *(
            TensorSpec(name=f"{n}-box", shape=(1, 4, s, s), dtype="float32")
            for n, s in SIZES.items()
        ),
        *(
            TensorSpec(name=f"{n}-cls", shape=(1, 2, s, s), dtype="float32")
            for n, s in SIZES.items()
        ),
    ),
    preprocess=PreprocessSpec(width=32, height=32),
    decode=DecodeSpec(
        kind="yolov8",
        head="raw",
        class_count=2,
        strides=(8, 16),
        outputs=(
            *(HeadOutput(name=f"{n}-box", role="box_regression", stride=STRIDES[n]) for n in SIZES),
            *(HeadOutput(name=f"{n}-cls", role="class_logits", stride=STRIDES[n]) for n in SIZES),
        ),
    ),
    labels=("cat", "dog"),
)
"""Two strides. Sides of 3, and all logits -12 but one in the near map."""


class Maps(Right):
    """`off` is added to all logits, `box` to all sides; `logit` is that of the one object."""

    inputs, outputs = RAW.inputs, RAW.outputs

    def __init__(self, off=0.0, box=0.0, logit=2.0):
        super().__init__()
        self._off, self._box, self._logit = off, box, logit

    def run(self, feeds):
        made = {}
        for name, size in SIZES.items():
            made[f"{name}-box"] = np.full((1, 4, size, size), 3 + self._box, np.float32)
            made[f"{name}-cls"] = np.full((1, 2, size, size), -12.0, np.float32)
        made["near-cls"][0, 0, 1, 1] = self._logit
        for name in ("near-cls", "far-cls"):
            made[name] += np.float32(self._off)
        return made


def maps_verified(reference, found, precision="int8") -> Verification:
    sample = Sample("photo", {"x": np.zeros((1, 3, 32, 32), np.float32)})
    return verified(found, run_reference(reference, RAW, [sample], Silent()), precision, RAW)


def test_map_without_objects_does_not_stand_for_the_file():
    found = maps_verified(Maps(), Maps(off=3.0, box=0.03))
    outputs = {output.name: output.sqnr_db for output in found.outputs}
    assert outputs["far-cls"] < -20, "noise alone, as loud as it may be"
    roles = {role.role: role for role in found.roles}
    assert roles["class_logits"].outputs == ("near-cls", "far-cls")
    score, seen = 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-5))
    assert roles["class_logits"].sqnr_db == pytest.approx(
        20 * np.log10(score / (seen - score)), abs=0.1
    )
    assert roles["box_regression"].sqnr_db == pytest.approx(40, abs=0.01)
    assert found.worst_sqnr_db == roles["class_logits"].sqnr_db
    assert found.worst_cosine == roles["class_logits"].cosine > 0.99


def test_scores_that_find_nothing_do_not_stand_for_the_file():
    found = maps_verified(Maps(logit=-9.0), Maps(logit=-9.0, off=3.0, box=0.03))
    assert {role.role: role.silent for role in found.roles} == {
        "box_regression": False,
        "class_logits": True,
    }
    assert found.worst_sqnr_db == pytest.approx(40, abs=0.01)


def test_lost_object_is_heard():
    found = maps_verified(Maps(), Maps(logit=-12.0))
    assert found.worst_sqnr_db == pytest.approx(0, abs=0.1)


def test_float_file_is_held_against_every_output():
    """A small map that is wrong is not covered up by a large one that is right."""

    class Off(Maps):
        def run(self, feeds):
            made = super().run(feeds)
            return {**made, "far-cls": made["far-cls"] * np.float32(1.1)}

    found = maps_verified(Maps(), Off(), "fp16")
    assert found.problems == ("'far-cls' has 20.0 dB SQNR, under 30",)
    assert found.worst_sqnr_db == pytest.approx(27, abs=0.2)


@pytest.mark.real_model
def test_published_file_of_garbage_is_found_out(data_folder: Path):
    """An int8 file of yolo11n as its authors published it: it gives what it finds in memory."""
    from mobileq.targets.tflite.flatbuffer import read_model
    from mobileq.targets.tflite.target import TfliteTarget
    from mobileq.targets.tflite.tensors import file_tensors

    path = data_folder / "peers" / "anu_yolo11n_int8.tflite"
    inputs, outputs = file_tensors(read_model(path))
    spec = ModelSpec(name="yolo11n", task="unknown", family=None, inputs=inputs, outputs=outputs)
    draw = np.random.default_rng(0)
    noise = [
        Sample(str(i), {tensor.name: draw.random(tensor.shape, np.float32)})
        for i, tensor in enumerate(inputs * 2)
    ]

    def opened():
        return TfliteTarget().open(path, inputs, outputs)

    problems: tuple[str, ...]
    try:
        with closing(opened()) as first, closing(opened()) as second:
            reference = run_reference(first, spec, noise, Silent())
            problems = verify(
                second, "itself", reference, spec, TFLITE.precision("int8"), Silent(), reopen=opened
            ).problems
    except MobileqError as error:
        problems = (error.message,)
    assert problems
