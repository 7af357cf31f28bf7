"""Conversions of small models to .onnx, run as an app runs them and held against the model."""

from __future__ import annotations

import dataclasses
from contextlib import closing

import numpy as np
import onnx
import pytest

from mobileq.errors import InputError, VerificationError
from mobileq.targets.onnxruntime.reading import read_file
from mobileq.targets.onnxruntime.target import OrtTarget

from ..tiny import convert_once, sqnr_db
from ..tiny_models import MODELS
from .conversions import outputs_of

LEAST_DB = {"fp32": 120, "fp16": 55, "dynamic": 35, "int8": 30, "int8-full": 30}
"""A float32 file is the model itself; each of the others shows its own error."""
MOST_DB = {"fp32": np.inf, "fp16": 110, "dynamic": 75, "int8": 70, "int8-full": 70}
WHOLE = ("conv", "dead", "anchors", "depthwise", "pooled", "faint")
"""Models of which ONNX Runtime has integer kernels for all."""


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        *((name, each) for name in WHOLE for each in LEAST_DB if (name, each) != ("faint", "fp16")),
        *(("scores", each) for each in LEAST_DB if each != "int8-full"),
    ],
)
def test_file_gives_what_the_model_gives(convert, name, precision):
    file = convert(name, precision)
    found = outputs_of(file)
    assert list(found) == [output.name for output in file.model.spec.outputs]
    for key, wanted in file.model.wanted.items():
        assert (found[key].dtype, found[key].shape) == (np.float32, wanted.shape)
        assert LEAST_DB[precision] < sqnr_db(wanted, found[key]) <= MOST_DB[precision]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "dynamic", "int8"])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_converts_and_keeps_its_inputs_and_outputs(convert, name, precision):
    file = convert(name, precision)
    spec, converted = file.model.spec, file.converted
    for wanted, found in zip(
        (*spec.inputs, *spec.outputs), (*converted.inputs, *converted.outputs), strict=True
    ):
        assert (found.name, found.shape, found.dtype) == (wanted.name, wanted.shape, wanted.dtype)
    for key, found in outputs_of(file).items():
        wanted = file.model.wanted[key]
        most = 0.1 if precision == "int8" else 0.05
        np.testing.assert_allclose(found, wanted, atol=most * np.abs(wanted).max())


@pytest.mark.parametrize("precision", LEAST_DB)
def test_file_carries_its_spec(convert, precision):
    file = convert("conv", precision)
    assert read_file(file.path).spec == file.model.spec


@pytest.mark.parametrize("precision", LEAST_DB)
def test_same_model_gives_the_same_bytes(tiny, convert, tmp_path, precision):
    first = convert("anchors", precision)
    job = dataclasses.replace(tiny("anchors").job(tmp_path, precision), output=tmp_path / "x.onnx")
    convert_once(job, OrtTarget)
    assert job.output.read_bytes() == first.path.read_bytes()


def test_weights_are_kept_as_the_precision_says(convert):
    types = {each: read_file(convert("conv", each).path).tensor_types for each in LEAST_DB}
    assert set(types["fp32"]) == {"float32"}
    assert set(types["fp16"]) == {"float16"}
    assert types["dynamic"]["uint8"] == 2, "the weights, and what their zero-point is"
    assert types["int8"]["int8"] == 2, "the weights and their zero-points"
    assert types["int8"]["int32"] == 1, "the bias"


def test_ops_are_counted_by_what_they_give(convert):
    assert convert("conv", "fp32").converted.ops == {"Conv float32": 1, "Relu float32": 1}
    assert convert("conv", "dynamic").converted.ops["ConvInteger int32"] == 1


def test_latency_has_one_figure_per_run(convert):
    file = convert("conv", "fp32")
    target = OrtTarget()
    with closing(target.open(file.path, file.converted.inputs, file.converted.outputs)) as runner:
        seconds = runner.latency(file.model.feeds, runs=5, warmup=3)
    assert len(seconds) == 5
    assert all(0 < value < 1 for value in seconds)


def test_a_file_that_onnx_runtime_refuses_is_a_wrong_file(convert, tmp_path):
    file = convert("conv", "fp32")
    model = onnx.load(file.path)
    model.graph.node[0].op_type = "Convolve"
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises(VerificationError, match=r"^x.onnx can't be loaded by onnxruntime 1.*: ."):
        OrtTarget().open(tmp_path / "x.onnx", file.converted.inputs, file.converted.outputs)


def test_feeds_that_the_file_cannot_take_are_told(convert):
    file = convert("conv", "fp32")
    target = OrtTarget()
    with closing(target.open(file.path, file.converted.inputs, file.converted.outputs)) as runner:
        feeds = {name: array[..., :1] for name, array in file.model.feeds.items()}
        with pytest.raises(VerificationError, match=r"conv.onnx can't be run by"):
            runner.run(feeds)


MARKED = b"\x08\x08\x12\x13mobileq-onnxruntime\xff"


@pytest.mark.parametrize("content", [b"nothing like a model", MARKED])
def test_damaged_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        OrtTarget().read(path)
    assert "\n" not in caught.value.message
