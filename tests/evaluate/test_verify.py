"""A file is verified only where it gives what the reference gives, each time it is asked."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager

import msgspec
import numpy as np
import pytest

from mobileq.calibration.samples import Sample
from mobileq.errors import ToolError
from mobileq.evaluate.verify import (
    Verification,
    run_reference,
    verify,
)
from mobileq.progress import Silent

from .runners import SPEC, TFLITE, Right, Wrong, samples, verified


@pytest.fixture
def reference():
    return run_reference(Right(), SPEC, samples(), Silent())


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


class Magnifying(Right):
    """Gives other numbers where its input is large, as a softmax that saturates does."""

    def __init__(self, error, everywhere=0.0):
        super().__init__()
        self._error, self._everywhere = error, everywhere

    def run(self, feeds):
        outputs = super().run(feeds)
        off = self._error if feeds["x"].max() > 100 else self._everywhere
        return {**outputs, "twice": outputs["twice"] * np.float32(1 + off)}


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(
    ("is_probe", "own", "elsewhere", "agrees"),
    [
        (True, 1e-2, 0.0, True),
        # A wrong file is wrong on other samples, and on probes on which the model is certain.
        (True, 1e-2, 0.5, False),
        (True, 1e-6, 0.0, False),
        # What a person gave is never left out.
        (False, 1e-2, 0.0, False),
    ],
)
def test_probes_on_which_the_model_is_at_odds_with_itself_count_for_nothing(
    reference, precision, is_probe, own, elsewhere, agrees
):
    feeds = {"x": np.full((1, 4), 1000, np.float32)}
    (large,) = run_reference(Right(), SPEC, [Sample("large", feeds)], Silent())
    found = verify(
        Magnifying(0.9, elsewhere),
        "reference",
        [*reference, dataclasses.replace(large, is_probe=is_probe)],
        SPEC,
        TFLITE.precision(precision),
        Silent(),
        other_order=lambda: Magnifying(own),
    )
    assert (found.problems == ()) == agrees
    left_out = is_probe and own > 1e-4
    assert found.left_out == (("large",) if left_out else ())
    assert found.sample_ids == (("s0", "s1", "s2") if left_out else ("s0", "s1", "s2", "large"))
    # The figures are of what is left.
    assert (found.outputs[0].sqnr_db is None) == (agrees and left_out)


def test_nan_on_a_probe_is_no_rounding(reference):
    feeds = {"x": np.full((1, 4), 1000, np.float32)}
    (large,) = run_reference(Right(), SPEC, [Sample("large", feeds)], Silent())
    found = verify(
        Magnifying(np.nan),
        "reference",
        [*reference, dataclasses.replace(large, is_probe=True)],
        SPEC,
        TFLITE.precision("fp32"),
        Silent(),
        other_order=lambda: Magnifying(1e-2),
    )
    assert "NaN" in found.problems[0]


def test_where_nothing_but_such_probes_is_there_they_count():
    feeds = {"x": np.full((1, 4), 1000, np.float32)}
    (large,) = run_reference(Right(), SPEC, [Sample("large", feeds)], Silent())
    found = verify(
        Magnifying(0.9),
        "reference",
        [dataclasses.replace(large, is_probe=True)],
        SPEC,
        TFLITE.precision("fp32"),
        Silent(),
        other_order=lambda: Magnifying(1e-2),
    )
    assert "SQNR" in found.problems[0]


class Quiet(Right):
    """Its scores, "twice", are next to nothing; they are off by `error`."""

    def __init__(self, error):
        super().__init__()
        self._error = np.float32(error)

    def changed(self, outputs):
        return {**outputs, "twice": outputs["twice"] * np.float32(1e-5) + self._error}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_sigmoids_are_held_to_no_more_than_onnx_runtimes_own(precision):
    reference = run_reference(Quiet(0), SPEC, samples(), Silent())
    nothing = -3e-5 if precision == "int8" else 1e-7  # all scores are 0, or what rounding leaves

    def found_with(error, sigmoids=("twice",), spec=SPEC):
        held = TFLITE.precision(precision)
        runner = Quiet(error)
        return verify(runner, "reference", reference, spec, held, Silent(), sigmoids=sigmoids)

    found = found_with(nothing)
    assert found.problems == ()
    assert {role.role: role.silent for role in found.roles} == {"twice": True, "sum": False}
    assert "'twice' has" in found_with(nothing, ()).problems[0]
    if precision == "fp32":
        assert "'twice' has" in found_with(3e-7).problems[0]
    # Where there is nothing else, that is what a file is told by.
    alone = msgspec.structs.replace(SPEC, outputs=SPEC.outputs[:1])
    assert [role.silent for role in found_with(nothing, spec=alone).roles] == [False]


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


def test_outputs_without_a_role_stand_for_themselves(reference):
    found = verified(Wrong(lambda array, _: array * np.float32(1.1)), reference, "int8")
    assert [(role.role, role.outputs) for role in found.roles] == [
        ("twice", ("twice",)),
        ("sum", ("sum",)),
    ]
    assert [role.sqnr_db for role in found.roles] == [o.sqnr_db for o in found.outputs]
