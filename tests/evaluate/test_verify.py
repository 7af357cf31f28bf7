"""A file is verified only where it gives what the reference gives, each time it is asked."""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mobileq.calibration.samples import Picture, Sample
from mobileq.errors import MobileqError, ToolError
from mobileq.evaluate.verify import (
    Verification,
    run_reference,
    verify,
)
from mobileq.progress import Silent
from mobileq.spec import DecodeSpec, HeadOutput, ModelSpec, PreprocessSpec, TensorSpec
from mobileq.targets.registry import TARGETS
from mobileq.vision.letterbox import LetterboxTransform

TFLITE = TARGETS["tflite"]
SPEC = ModelSpec(
    name="model",
    task="unknown",
    family=None,
    inputs=(TensorSpec(name="x", shape=(1, 4), dtype="float32"),),
    outputs=(
        TensorSpec(name="twice", shape=(1, 4), dtype="float32"),
        TensorSpec(name="sum", shape=(1,), dtype="float32"),
    ),
)


class Right:
    """Computes what the model does."""

    interpreter = "right 1.0"
    inputs, outputs = SPEC.inputs, SPEC.outputs

    def __init__(self):
        self.runs, self.closed = 0, False

    def run(self, feeds):
        self.runs += 1
        x = feeds["x"]
        return self.changed({"twice": x * 2, "sum": x.sum(axis=1)})

    def changed(self, outputs):
        return outputs

    def latency(self, feeds, runs, warmup):
        return [0.0] * runs

    def close(self):
        self.closed = True


class Wrong(Right):
    """Computes something else in one output; `change` takes the array and the count of runs."""

    def __init__(self, change, name="sum"):
        super().__init__()
        self._change, self._name = change, name

    def changed(self, outputs):
        return {**outputs, self._name: self._change(outputs[self._name], self.runs)}


def samples(count=3):
    draw = np.random.default_rng(0)
    return [Sample(f"s{i}", {"x": draw.random((1, 4), np.float32) + 1}) for i in range(count)]


@pytest.fixture
def reference():
    return run_reference(Right(), SPEC, samples(), Silent())


def verified(runner, reference, precision="fp32", spec=SPEC) -> Verification:
    return verify(runner, "onnxruntime 1.0", reference, spec, TFLITE.precision(precision), Silent())


def test_right_file_has_no_problems(reference):
    found = verified(Right(), reference)
    assert found.problems == ()
    assert found.sample_ids == ("s0", "s1", "s2")
    assert (found.reference, found.interpreter) == ("onnxruntime 1.0", "right 1.0")
    assert [output.name for output in found.outputs] == ["twice", "sum"]
    assert (found.worst_sqnr_db, found.worst_cosine) == (None, pytest.approx(1.0))
    assert found.agreement is None


@pytest.mark.parametrize(
    ("factor", "precision", "agrees"),
    [
        (1 + 1e-5, "fp32", True),
        (1 + 1e-2, "fp32", False),
        (1 + 1e-2, "fp16", True),
        (1.1, "fp16", False),
        (1.1, "int8", True),
        (1.1, "dynamic", True),
        (1.1, "int16x8", True),
    ],
)
def test_tolerance_depends_on_the_precision(reference, factor, precision, agrees):
    found = verified(Wrong(lambda array, _: array * np.float32(factor)), reference, precision)
    assert (found.problems == ()) == agrees
    assert found.worst_sqnr_db == pytest.approx(-20 * np.log10(factor - 1), abs=0.5)
    if not agrees:
        assert found.problems[0].startswith("'sum' ")


def test_error_in_one_late_sample_is_found(reference):
    late = Wrong(lambda array, runs: array + (0.5 if runs == 4 else 0))
    assert len(verified(late, reference).problems) == 1


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "dynamic", "int16x8"])
def test_other_shape_is_a_problem_in_every_precision(reference, precision):
    found = verified(Wrong(lambda array, _: array[None]), reference, precision)
    assert found.problems == ("'sum' comes out as [1, 1] where the ONNX model gives [1]",)
    assert found.outputs == ()


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_output_that_changes_from_run_to_run_is_a_problem(reference, precision):
    found = verified(Wrong(lambda array, runs: array + runs * 1e-6), reference, precision)
    assert found.problems == ("the same input gives different outputs from one run to the next",)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_output_that_depends_on_the_sample_before_is_a_problem(reference, precision):
    last = [0.0]

    def remember(array, _):
        before, last[0] = last[0], float(array[0])
        return array + np.float32(1e-5 * before)

    found = verified(Wrong(remember), reference, precision)
    assert found.problems == ("the same input gives different outputs from one run to the next",)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_output_that_depends_on_the_process_is_a_problem(reference, precision):
    opened = []

    def reopen(change):
        opened.append(Wrong(change))
        return opened[-1]

    def found_with(change):
        return verify(
            Right(),
            "reference",
            reference,
            SPEC,
            TFLITE.precision(precision),
            Silent(),
            lambda: reopen(change),
        ).problems

    assert found_with(lambda array, _: array) == ()
    assert found_with(lambda array, _: array + np.float32(1e-5)) == (
        "the same input gives different outputs from one run to the next",
    )
    assert [runner.closed for runner in opened] == [True, True]


def _off_once(error):
    """In one number of the second sample."""
    change = np.array([[0, error, 0, 0]], np.float32)
    return Wrong(lambda array, runs: array + change * (runs == 2), "twice")


@pytest.mark.parametrize(("uncertain", "agrees"), [(0.0, False), (1e-3, False), (0.008, True)])
def test_fp32_file_is_held_to_no_more_than_the_models_own_rounding(reference, uncertain, agrees):
    opened = []

    def other_order():
        opened.append(_off_once(uncertain))
        return opened[-1]

    def found_with(error, precision="fp32"):
        runner = _off_once(error)
        return verify(
            runner,
            "reference",
            reference,
            SPEC,
            TFLITE.precision(precision),
            Silent(),
            other_order=other_order,
        )

    found = found_with(0.01)
    assert (found.problems == ()) == agrees
    assert (found.rounding["twice"] > 0.001) == agrees
    assert found.rounding["sum"] == 0.0
    assert [(runner.runs, runner.closed) for runner in opened] == [(len(reference), True)]
    # What needs no excuse is not asked for one, and SQNR knows none.
    assert found_with(1e-5).rounding == {}
    assert "SQNR" in found_with(1.0).problems[0]
    # Half precision is held to 30 dB, or to the model's own noise where that is large.
    assert found_with(1e-5, "fp16").rounding == {}
    assert "SQNR" in found_with(30.0, "fp16").problems[0]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "dynamic"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_a_problem(reference, precision, value):
    found = verified(Wrong(lambda array, _: array * np.float32(value)), reference, precision)
    assert found.problems == (
        "'sum' has NaN or infinite values in other places than the ONNX model",
    )
    read_back = msgspec.json.decode(msgspec.json.encode(found), type=Verification)
    assert read_back == found


def test_nan_that_both_give_is_no_problem():
    def nan(array, _):
        return array * np.float32(np.nan)

    reference = run_reference(Wrong(nan), SPEC, samples(), Silent())
    assert verified(Wrong(nan), reference).problems == ()


def test_nothing_to_compare_with_is_a_problem():
    assert verified(Right(), []).problems == ("there was no sample to compare it on",)


def test_error_of_the_runner_is_raised(reference):
    def crash(array, runs):
        raise ToolError("It crashed.")

    with pytest.raises(ToolError, match="It crashed"):
        verified(Wrong(crash), reference)


def test_each_sample_is_run_once_and_the_first_twice(reference):
    runner = Right()
    verified(runner, reference)
    assert runner.runs == 4


def test_progress_hears_of_every_sample(reference):
    heard = []

    class Listener(Silent):
        @contextmanager
        def stage(self, name, total=None):
            heard.append((name, total))
            yield lambda: heard.append("piece")

    verify(Right(), "reference", reference, SPEC, TFLITE.precision("fp32"), Listener())
    assert heard == [("Verifying", 3), "piece", "piece", "piece"]


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


def test_outputs_without_a_role_stand_for_themselves(reference):
    found = verified(Wrong(lambda array, _: array * np.float32(1.1)), reference, "int8")
    assert [(role.role, role.outputs) for role in found.roles] == [
        ("twice", ("twice",)),
        ("sum", ("sum",)),
    ]
    assert [role.sqnr_db for role in found.roles] == [o.sqnr_db for o in found.outputs]


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
