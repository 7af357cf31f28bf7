from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.onnx_backend import pool
from tests.onnx_backend.cases import Case, cases
from tests.onnx_backend.trial import Outcome


def _case(name: str) -> Case:
    return next(case for case in cases() if case.name == name)


def _sides(name: str) -> tuple[list[str], list[str]]:
    loaded = _case(name).load()
    graph = loaded.model.graph
    assert [value.name for value in graph.input] == list(loaded.feeds)
    return list(loaded.feeds), sorted(tensor.name for tensor in graph.initializer)


def test_what_fixes_shapes_is_stored_in_the_model() -> None:
    assert _sides("test_reduce_sum_keepdims_random") == (["data"], ["axes"])
    assert _sides("test_top_k") == (["x"], ["k"])
    assert _sides("test_slice") == (["x"], ["axes", "ends", "starts", "steps"])


def test_weights_are_stored_in_the_model() -> None:
    assert _sides("test_conv_with_strides_padding") == (["x"], ["W"])


def test_operands_are_fed() -> None:
    assert _sides("test_add") == (["x", "y"], [])
    assert _sides("test_gather_0") == (["data", "indices"], [])


def test_a_written_out_operator_has_the_inputs_of_the_operator() -> None:
    assert _sides("test_center_crop_pad_pad")[0] == ["x"]
    assert _sides("test_center_crop_pad_pad_expanded")[0] == ["x"]


def test_a_model_keeps_an_input() -> None:
    assert _sides("test_range_int32_type_negative_delta")[0] == ["start", "limit", "delta"]


def test_a_process_that_dies_is_an_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(case: Case, target: str) -> Outcome:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    monkeypatch.setattr(pool, "preload", lambda target: None)
    monkeypatch.setattr(pool, "try_case", dies)
    case = _case("test_abs")
    ((ended, outcome, _),) = pool.outcomes([case], "tflite", 1, tmp_path / "log")
    assert ended == case
    assert outcome == Outcome("raw", "the process crashed (SIGKILL)")
