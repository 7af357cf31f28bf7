"""Opening what a person points at: its kind by its name, and a sentence where it is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import mobileq
from mobileq.errors import InputError, UsageError
from mobileq.workflows.opening import Overrides, file_target, open_model, prepared_by


def test_the_suffix_tells_the_kind_in_either_case(model: Path, tmp_path: Path) -> None:
    assert file_target(model) is None
    (tmp_path / "a.MNN").write_text("x")
    assert file_target(tmp_path / "a.MNN") == "mnn"


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("none.onnx", UsageError, "There is no file"),
        ("", UsageError, "is a folder"),
        ("a.pt", UsageError, "is no model that mobileq knows"),
        ("empty.tflite", InputError, "is empty"),
    ],
)
def test_what_is_no_model_is_said(
    tmp_path: Path, name: str, error: type[Exception], words: str
) -> None:
    (tmp_path / "a.pt").write_text("x")
    (tmp_path / "empty.tflite").touch()
    with pytest.raises(error, match=words):
        file_target(tmp_path / name)


def test_a_lone_onnx_file_runs_and_gives_what_it_says(model: Path) -> None:
    opened = open_model(model, None, Overrides())
    runner = opened.open()
    try:
        feeds = {"x": np.ones((1, 3, 8, 8), np.float32)}
        outputs = runner.run(feeds)
        assert len(runner.latency(feeds, 2, 1)) == 2
    finally:
        runner.close()
    assert opened.name == "Model.ONNX"
    assert outputs["y"].shape == opened.outputs[0].shape == (1, 4, 8, 8)
    weights = numpy_helper.to_array(onnx.load(model).graph.initializer[0])
    np.testing.assert_allclose(outputs["y"][0, :, 0, 0], weights.sum(axis=(1, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "data", "title"),
    [
        ("m.onnx", b"\x1c\0\0\0TFL3" + bytes(40), "TFLite"),
        ("m.tflite", bytes(8), "TFLite"),
        ("m.mnn", b"\x18\0\0\0" + bytes(30), "MNN"),
    ],
)
def test_files_of_targets_are_no_sources(
    tmp_path: Path, name: str, data: bytes, title: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=f"is a model for {title}, not an ONNX model") as caught:
        prepared_by(tmp_path / name, Overrides(), tmp_path)
    assert caught.value.hint.startswith("It is converted already")


def test_an_onnx_model_is_a_source_whatever_its_name(model: Path, tmp_path: Path) -> None:
    named = tmp_path / "m.tflite"
    named.write_bytes(model.read_bytes())
    assert prepared_by(named, Overrides(), tmp_path).spec.outputs


def test_an_onnx_file_that_was_converted_is_its_targets_and_still_a_source(
    model: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    mobileq.convert(model, bundle, target="onnxruntime", precision="fp32", cache=False)
    file = next((bundle / "models").iterdir())
    assert (file.suffix, file_target(file)) == (".onnx", "onnxruntime")
    assert file_target(next((bundle / "reference").iterdir())) is None
    opened = open_model(file, None, Overrides())
    assert (opened.target, opened.name) == ("onnxruntime", file.name)
    runner = opened.open()
    try:
        found = runner.run({"x": np.ones((1, 3, 8, 8), np.float32)})
    finally:
        runner.close()
    weights = numpy_helper.to_array(onnx.load(model).graph.initializer[0])
    np.testing.assert_allclose(found["y"][0, :, 0, 0], weights.sum(axis=(1, 2, 3)), rtol=1e-5)
    assert mobileq.inspect(file).format == "onnxruntime"
    with pytest.raises(UsageError, match="is converted already"):
        open_model(file, None, Overrides(set_inputs=("x=1",)))
    assert prepared_by(file, Overrides(), tmp_path).spec.inputs == opened.spec.inputs


def test_artifacts_are_of_bundles(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a lone file"):
        open_model(model, "int8", Overrides())
    with pytest.raises(InputError, match="is not a bundle"):
        open_model(tmp_path, None, Overrides())
