"""What the quantizer leaves in float, and the ranges it goes by."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from mobileq.spec import TensorRange
from mobileq.targets.tflite import contents, flatbuffer

from ..tiny import kept


def types_of(path: Path) -> dict[str, str]:
    graph = flatbuffer.read_model(path).subgraphs[0]
    return {contents.tensor_name(t): contents.dtype_name(t) for t in graph.tensors}


def test_scales_follow_the_ranges_that_were_given(tiny, tmp_path):
    job = tiny("scores").job(tmp_path, "int8", "int8")
    ranges = {**job.ranges, "x": TensorRange(min=-2.0, max=3.1)}
    converted = kept().convert(dataclasses.replace(job, ranges=ranges))
    quant = converted.inputs[0].quant
    assert quant is not None
    assert quant.scale[0] == pytest.approx(5.1 / 255, rel=1e-6)
    assert quant.zero_point == (-28,)  # -128 + 2.0 / scale


def test_tail_is_in_float_and_what_comes_before_is_not(convert):
    path = convert("anchors", "int8", "int8").path
    assert types_of(path)["y_quantized"] == "int8"
    found = types_of(path)
    assert found["y"] == "float32"
    assert found["x"] == "int8"
    kinds = Counter(found.values())
    assert kinds["int32"] >= 3  # biases and shapes
    assert kinds["int8"] >= 4  # weights and activations


def test_weights_have_a_scale_per_channel(convert):
    graph = flatbuffer.read_model(convert("scores", "int8").path).subgraphs[0]
    scales = [
        len(tensor.quantization.scale)
        for tensor in graph.tensors
        if contents.dtype_name(tensor) == "int8" and len(tensor.shape) == 4
        if contents.tensor_name(tensor).endswith("filter")
    ]
    assert scales == [8]


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_biases_of_channels_without_weights_stay_what_they_are(convert, precision):
    file = convert("dead", precision)
    found = file.run()["y"]
    wanted = file.model.wanted["y"]
    step = (wanted.max() - wanted.min()) / 255
    assert abs(found - wanted).max() < 3 * step


def test_op_without_a_range_stays_in_float(tiny, tmp_path):
    job = tiny("scores").job(tmp_path, "int8")
    known = {name: found for name, found in job.ranges.items() if name not in ("c", "r")}
    converted = kept().convert(dataclasses.replace(job, ranges=known))
    graph = flatbuffer.read_model(job.output).subgraphs[0]
    kinds = {contents.tensor_name(t): contents.dtype_name(t) for t in graph.tensors}
    filters = [kind for name, kind in kinds.items() if name.endswith("filter")]
    assert filters == ["float32"]
    assert converted.ops["CONV_2D float32"] == 1


def test_depthwise_convolutions_stay_in_float_in_dynamic_files(convert):
    file = convert("depthwise", "dynamic")
    graph = flatbuffer.read_model(file.path).subgraphs[0]
    names = {contents.tensor_name(t): contents.dtype_name(t) for t in graph.tensors}
    assert file.converted.ops["DEPTHWISE_CONV_2D float32"] == 1
    assert Counter(kind for name, kind in names.items() if "filter" in name) == {
        "int8": 1,
        "float32": 1,
    }
