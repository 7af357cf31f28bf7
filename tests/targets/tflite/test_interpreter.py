"""Both interpreters, in a process of their own, speak the model's language."""

from __future__ import annotations

import sys
import zipfile
from importlib.metadata import version

import msgspec
import numpy as np
import pytest

from mobileq.errors import MissingDependencyError, ToolError, UsageError, VerificationError
from mobileq.external.child import Child
from mobileq.targets.tflite.interpreter import make_interpreter
from mobileq.targets.tflite.target import TfliteTarget

from ..tiny import TinyFile

FILES = [("conv", "fp32", "float32"), ("scores", "int8", "uint8"), ("pixels", "fp16", "float32")]


def run_in(child: Child, file: TinyFile, which: str) -> tuple[str, np.ndarray]:
    fields = {
        "runner": "mobileq.targets.tflite.interpreter:TfliteRunner",
        "path": str(file.path),
        "inputs": msgspec.to_builtins(file.converted.inputs),
        "outputs": msgspec.to_builtins(file.converted.outputs),
        "options": {"threads": 1, "interpreter": which},
    }
    name = child.request("open", fields)[0]["interpreter"]
    return name, child.request("run", arrays=file.model.feeds)[1]["y"]


def make_child() -> Child:
    return Child("mobileq.targets.hosted:RunnerHandler", stage="running", tool="It")


@pytest.mark.tensorflow
def test_interpreters_agree_and_say_who_they_are(convert):
    pytest.importorskip("tensorflow", exc_type=ImportError)
    files = [convert(*file) for file in FILES]
    assert all(zipfile.is_zipfile(file.path) for file in files)  # metadata doesn't disturb them
    with make_child() as first, make_child() as second:
        for file in files:
            ours, expected = run_in(first, file, "ai_edge_litert")
            theirs, found = run_in(second, file, "tensorflow")
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert ours == f"ai_edge_litert {version('ai-edge-litert')}"
    assert theirs == f"tf.lite.Interpreter {version('tensorflow')}"


def test_light_interpreter_is_chosen_where_none_is_named(convert):
    with make_child() as child:
        assert run_in(child, convert(*FILES[0]), "auto")[0].startswith("ai_edge_litert")


def test_interpreter_that_nobody_knows_is_refused(convert):
    with pytest.raises(UsageError, match="'torch'"):
        make_interpreter(convert(*FILES[0]).path, 1, "torch")


def test_missing_interpreters_are_said_to_be_missing(convert, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingDependencyError, match=r"\(ai_edge_litert\)") as caught:
        make_interpreter(convert(*FILES[0]).path, 1, "ai_edge_litert")
    assert "pip install ai-edge-litert==2.1.2" in caught.value.hint


def test_integer_file_takes_real_values_and_ready_integers_alike(convert):
    from mobileq.vision.preprocess import quantize

    file = convert("scores", "int8", "uint8")
    (spec,) = file.converted.inputs
    assert spec.quant is not None
    runner = TfliteTarget().open(file.path, file.converted.inputs, file.converted.outputs)
    try:
        real = runner.run(file.model.feeds)["y"]
        ready = quantize(file.model.samples[0], spec.quant, "uint8")
        np.testing.assert_array_equal(runner.run({"x": ready})["y"], real)
    finally:
        runner.close()


def test_input_of_another_shape_is_an_error_and_the_runner_lives_on(convert):
    file = convert("conv", "fp32")
    runner = TfliteTarget().open(file.path, file.converted.inputs, file.converted.outputs)
    try:
        with pytest.raises(ToolError, match=r"while running fp32-float320.tflite"):
            runner.run({"x": np.zeros((1, 3, 16, 13), np.float32)})
        np.testing.assert_allclose(
            runner.run(file.model.feeds)["y"], file.model.wanted["y"], rtol=1e-4, atol=1e-5
        )
    finally:
        runner.close()


def test_latency_has_one_figure_per_run(convert):
    file = convert("conv", "fp32")
    runner = TfliteTarget().open(file.path, file.converted.inputs, file.converted.outputs)
    try:
        seconds = runner.latency(file.model.feeds, runs=7, warmup=2)
    finally:
        runner.close()
    assert len(seconds) == 7
    assert all(0 < value < 1 for value in seconds)


def test_file_that_does_not_load_says_so(tmp_path, convert):
    file = convert("conv", "fp32")
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x18\0\0\0TFL3" + bytes(200))
    with pytest.raises(VerificationError, match=r"broken\.tflite does not load") as caught:
        TfliteTarget().open(broken, file.converted.inputs, file.converted.outputs)
    assert "\n" not in caught.value.message
