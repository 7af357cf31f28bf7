"""What the quantizer leaves in float, and the ranges it goes by."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mobileq.external.child import Child
from mobileq.targets.tflite import flatbuffer

WORKER = "mobileq.targets.tflite.worker:TfliteWorker"


@pytest.fixture
def worker():
    with Child(WORKER, stage="testing", tool="It") as child:
        yield child


def types_of(path: Path) -> dict[str, str]:
    graph = flatbuffer.read_model(path).subgraphs[0]
    return {flatbuffer.tensor_name(t): flatbuffer.dtype_name(t) for t in graph.tensors}


def ranges_of(worker: Child, source: Path, samples) -> dict[str, tuple[float, float]]:
    worker.request("watch", {"source": str(source), "threads": 1})
    for sample in samples:
        worker.request("observe", arrays={"input": np.ascontiguousarray(sample)})
    found = worker.request("ranges")[0]["ranges"]
    return {name: tuple(pair) for name, pair in found.items()}


def test_observed_ranges_span_all_samples(worker, convert):
    file = convert("scores", "fp32")
    samples = [sample.transpose(0, 2, 3, 1) for sample in file.model.samples]
    found = ranges_of(worker, file.path, samples)
    assert found["x"] == pytest.approx((np.min(samples), np.max(samples)))
    single = ranges_of(worker, file.path, samples[:1])
    assert single["y"] == pytest.approx(
        (file.model.wanted["y"].min(), file.model.wanted["y"].max()), rel=1e-4
    )
    assert found["y"][0] <= single["y"][0]
    assert found["y"][1] >= single["y"][1]


def test_scales_follow_the_ranges_that_were_given(worker, convert, tmp_path):
    file = convert("scores", "fp32")
    samples = [sample.transpose(0, 2, 3, 1) for sample in file.model.samples]
    ranges = {**ranges_of(worker, file.path, samples), "x": (-2.0, 3.1)}
    fields = {"source": str(file.path), "precision": "int8", "io": "int8", "ranges": ranges}
    worker.request("quantize", {**fields, "output": str(tmp_path / "q.tflite")})
    graph = flatbuffer.read_model(tmp_path / "q.tflite").subgraphs[0]
    quant = flatbuffer.tensor_quant(graph.tensors[graph.inputs[0]])
    assert quant is not None
    assert quant.scale[0] == pytest.approx(5.1 / 255, rel=1e-6)
    assert quant.zero_point == (-28,)  # -128 + 2.0 / scale


def test_tail_is_in_float_and_what_comes_before_is_not(convert):
    path = convert("anchors", "int8", "int8").path
    found = types_of(path)
    assert found["y"] == "float32"
    assert found["x"] == "int8"
    kinds = Counter(found.values())
    assert kinds["int32"] >= 3  # biases and shapes
    assert kinds["int8"] >= 4  # weights and activations


def test_depthwise_convolutions_stay_in_float_in_dynamic_files(convert):
    file = convert("depthwise", "dynamic")
    graph = flatbuffer.read_model(file.path).subgraphs[0]
    names = {flatbuffer.tensor_name(t): flatbuffer.dtype_name(t) for t in graph.tensors}
    assert file.converted.ops["DEPTHWISE_CONV_2D"] == 1
    assert Counter(kind for name, kind in names.items() if "filter" in name) == {
        "int8": 1,
        "float32": 1,
    }
