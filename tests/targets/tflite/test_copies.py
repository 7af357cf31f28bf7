"""A tensor that is two outputs, scalars, and nodes without a translation: through convert."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import parser

from mobileq.errors import UnsupportedOperatorError
from mobileq.targets.tflite.target import TfliteTarget
from mobileq.workflows.convert import convert
from mobileq.workflows.request import ConvertOptions


def outputs(tmp_path: Path, text: str, **feeds: np.ndarray) -> dict[str, np.ndarray]:
    model = parser.parse_model('<ir_version: 8, opset_import: ["": 17]>' + text)
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    options = ConvertOptions(precisions=("fp32",))
    (artifact,) = convert(path, tmp_path / "bundle", options, cache=False).artifacts
    file = tmp_path / "bundle" / artifact.path
    with closing(TfliteTarget().open(file, artifact.inputs, artifact.outputs)) as runner:
        return runner.run(feeds)


def test_second_output_of_a_tensor_is_a_copy(tmp_path):
    text = """m (float[1,3,4,5] x) => (float[1,3,4,5] y, float[1,3,4,5] again)
        { y = Sigmoid(x)  again = Identity(y) }"""
    x = np.linspace(-3, 3, 60, dtype=np.float32).reshape(1, 3, 4, 5)
    found = outputs(tmp_path, text, x=x)
    for name in ("y", "again"):
        np.testing.assert_allclose(found[name], 1 / (1 + np.exp(-x)), rtol=1e-5)


def test_scalars_stay_scalars(tmp_path):
    text = """m (float[3] x, float s) => (float[3] y, float t)
        { y = Mul(x, s)  t = Sqrt(s) }"""
    found = outputs(tmp_path, text, x=np.float32([1, 2, 3]), s=np.array(4, np.float32))
    assert found["t"].shape == ()
    assert (found["t"], found["y"].tolist()) == (2.0, [4.0, 8.0, 12.0])


def test_node_without_a_translation_is_told_with_the_reason(tmp_path, monkeypatch):
    one_engine = dataclasses.replace(TfliteTarget.info, options=())
    monkeypatch.setattr(TfliteTarget, "info", one_engine)
    text = "m (float[6] x) => (float[N] y) { [once] y = Unique<sorted=1>(x) }"
    with pytest.raises(
        UnsupportedOperatorError, match=r"of Unique \(node 'once'\): .*integer input"
    ):
        outputs(tmp_path, text)
