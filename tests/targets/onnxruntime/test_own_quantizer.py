from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from mobileq.errors import UsageError
from mobileq.onnx_runtime import SessionOptions, open_session
from mobileq.targets.base import ConversionJob
from mobileq.targets.onnxruntime.own_quantizer import quantize_statically
from mobileq.targets.qdq.options import QdqOptions

from ..tiny import TinyModel, make, sqnr_db

UNSIGNED = QdqOptions(weight_type="uint8")


def job_of(model: TinyModel, folder: Path, **more) -> ConversionJob:
    job = model.job(folder, "int8", **more)
    return replace(job, ranges={})


def outputs_of(path: Path, model: TinyModel) -> list[np.ndarray]:
    return open_session(path, SessionOptions(threads=1)).run(None, model.feeds)


def pairs(path: Path) -> set[str]:
    graph = onnx.load(path).graph
    return {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}


@pytest.mark.parametrize("method", ["MinMax", "Entropy", "Percentile"])
def test_writes_a_model_near_the_float_one(tmp_path: Path, method):
    model = make("pooled", tmp_path)
    quantize_statically(job_of(model, tmp_path), tmp_path / "own.onnx", method, UNSIGNED)
    onnx.checker.check_model(onnx.load(tmp_path / "own.onnx"), full_check=True)
    assert {"x", "c", "m"} <= pairs(tmp_path / "own.onnx")
    (found,) = outputs_of(tmp_path / "own.onnx", model)
    assert sqnr_db(model.wanted["y"], found) > 25


def test_float_tensors_and_the_decoding_are_left_out(tmp_path: Path):
    model = make("anchors", tmp_path)
    job = job_of(model, tmp_path, keep_float=("c", "r"))
    quantize_statically(job, tmp_path / "own.onnx", "MinMax", UNSIGNED)
    assert pairs(tmp_path / "own.onnx") == {"r", "fine", "coarse"}
    job = job_of(model, tmp_path)
    quantize_statically(job, tmp_path / "all.onnx", "MinMax", UNSIGNED, decoding_too=True)
    assert {"all", "t"} <= pairs(tmp_path / "all.onnx")


def test_writes_integer_operators(tmp_path: Path):
    model = make("scores", tmp_path)
    job = job_of(model, tmp_path)
    # Operators with a scale for each channel have int8 weights, whatever was asked for (1.26).
    options = QdqOptions(weight_type="uint8", per_channel=False)
    quantize_statically(job, tmp_path / "own.onnx", "MinMax", options, operators=True)
    found = Counter(node.op_type for node in onnx.load(tmp_path / "own.onnx").graph.node)
    assert found >= Counter(QLinearConv=1, QGemm=1)
    (value,) = outputs_of(tmp_path / "own.onnx", model)
    assert sqnr_db(model.wanted["y"], value) > 30


def test_how_many_pictures_come_at_once_changes_nothing_that_matters(tmp_path: Path, monkeypatch):
    model = make("depthwise", tmp_path)
    found = []
    for size in (1, 2**30):
        monkeypatch.setattr("mobileq.targets.onnxruntime.own_quantizer._TURN_BYTES", size)
        path = tmp_path / f"{size}.onnx"
        quantize_statically(job_of(model, tmp_path), path, "Entropy", UNSIGNED)
        found.append(outputs_of(path, model)[0])
    assert sqnr_db(*found) > 30


def test_wants_pictures(tmp_path: Path):
    job = job_of(make("conv", tmp_path), tmp_path, calibrated=False)
    with pytest.raises(UsageError, match="pictures"):
        quantize_statically(job, tmp_path / "own.onnx", "MinMax", UNSIGNED)
