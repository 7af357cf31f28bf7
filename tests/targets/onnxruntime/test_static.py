"""Int8 files by each of the options."""

from __future__ import annotations

import dataclasses
from contextlib import closing

import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from mobileq.errors import UsageError, VerificationError
from mobileq.graph.outline import op_counts
from mobileq.spec import QuantRecipe, TensorSpec
from mobileq.targets.onnxruntime import static
from mobileq.targets.onnxruntime.reading import read_file

from ..tiny import TinyFile, sqnr_db
from .conversions import outputs_of


@pytest.fixture
def quantized(tiny, target, tmp_path):
    """(model name, precision, **options) -> its int8 file."""

    def made(name: str, precision: str = "int8", *, progress=None, **options: str) -> TinyFile:
        job = tiny(name).job(tmp_path, precision, progress=progress)
        recipe = msgspec.structs.replace(job.recipe, options=options)
        job = dataclasses.replace(job, recipe=recipe, output=tmp_path / "x.onnx")
        return TinyFile(tiny(name), job.output, target.convert(job))

    return made


def weights_of(file: TinyFile, ending: str = "codes") -> list[np.ndarray]:
    stored = onnx.load(file.path).graph.initializer
    arrays = [numpy_helper.to_array(each) for each in stored if each.name.endswith(ending)]
    return [array for array in arrays if array.ndim == 4]


@pytest.mark.parametrize("name", ["anchors", "pooled", "upsampled"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ort_kernels": "inputs"},
        {"ort_format": "QOperator"},
        {"ort_types": "S8S8"},
        {"ort_types": "U8U8"},
        {"ort_granularity": "tensor"},
        {"ort_reduce_range": "yes"},
        {"ort_types": "S8S8", "ort_format": "QOperator", "ort_granularity": "tensor"},
    ],
    ids=lambda options: "-".join(options.values()) or "default",
)
def test_file_gives_what_the_model_gives(quantized, name, options):
    file = quantized(name, **options)
    found = outputs_of(file)
    for key, wanted in file.model.wanted.items():
        assert 22 < sqnr_db(wanted, found[key]) < 70
    assert read_file(file.path).spec == file.model.spec


def test_types_are_those_that_were_asked_for(quantized):
    for types, activation, weight in (
        *(("U8S8", "uint8", "int8"), ("S8S8", "int8", "int8"), ("U8U8", "uint8", "uint8")),
    ):
        file = quantized("anchors", ort_types=types)
        assert {each.dtype for each in read_file(file.path).quantized} == {activation}
        assert {array.dtype.name for array in weights_of(file)} == {weight}


def test_ranges_of_what_is_rounded_are_those_that_were_given(quantized):
    file = quantized("conv")
    ranges, found = file.model.ranges(), read_file(file.path).quantized
    assert {each.name.removesuffix("/float") for each in found} == {"x", "y"}
    for each in found:
        wanted = ranges[each.name.removesuffix("/float")]
        assert each.min == pytest.approx(min(wanted.min, 0), abs=each.scale)
        assert each.max == pytest.approx(max(wanted.max, 0), abs=each.scale)


def test_reduced_ranges_are_of_seven_bits(quantized):
    for reduce, most in (("no", 127), ("yes", 64)):
        codes = weights_of(quantized("anchors", ort_reduce_range=reduce))
        assert max(np.abs(array.astype(int)).max() for array in codes) == most


def test_operator_format_has_no_pairs_inside(quantized):
    ops = op_counts(onnx.load(quantized("pooled", ort_format="QOperator").path))
    assert ops["QLinearConv"] == 2
    assert "Conv" not in ops
    assert (ops["QuantizeLinear"], ops["DequantizeLinear"]) == (1, 1)


def test_float_regions_are_heeded(tiny, target, tmp_path):
    job = tiny("pooled").job(tmp_path, "int8", keep_float=("c",))
    target.convert(dataclasses.replace(job, output=tmp_path / "x.onnx"))
    typed = target.convert(dataclasses.replace(job, output=tmp_path / "x.onnx")).ops
    assert (typed["Conv float32"], typed["Conv uint8"]) == (1, 1)


def test_an_op_without_integer_kernel_is_named_where_all_must_be_integer(quantized):
    with pytest.raises(VerificationError, match=r"kernel for HardSigmoid\.$") as caught:
        quantized("hard_swish", "int8-full")
    assert "Use int8" in caught.value.hint


def test_operator_format_of_rounded_inputs_is_refused(quantized):
    with pytest.raises(UsageError, match="--ort-format QOperator is of integer kernels"):
        quantized("anchors", ort_format="QOperator", ort_kernels="inputs")


def test_without_pictures_nothing_is_quantized(tiny, target, tmp_path):
    job = tiny("conv").job(tmp_path, "int8", calibrated=False)
    with pytest.raises(UsageError, match="int8 needs pictures"):
        target.convert(job)


@pytest.mark.parametrize(
    ("flags", "options", "is_told"),
    [
        (["sse4_1", "avx2"], {}, True),
        (["sse4_1", "avx2"], {"ort_kernels": "inputs"}, True),
        (["sse4_1", "avx2"], {"ort_reduce_range": "yes"}, False),
        (["sse4_1", "avx2"], {"ort_types": "U8U8"}, False),
        (["sse4_1", "avx2"], {"ort_types": "S8S8"}, False),
        (["sse4_1", "avx2", "avx_vnni"], {}, False),
        (["sse4_1", "avx512_vnni"], {}, False),
        (["fp", "asimd"], {}, False),
        ([], {}, False),
    ],
)
def test_it_is_told_where_the_processor_cuts_off_sums(monkeypatch, flags, options, is_told):
    monkeypatch.setattr(static, "processor_flags", lambda: flags)
    told = static.saturation(QuantRecipe(precision="int8", options=options))
    assert (told is not None) == is_told
    assert told is None or "--ort-reduce-range yes" in told


@pytest.mark.parametrize("method", ["MinMax", "Entropy", "Percentile"])
def test_onnx_runtime_quantizes_itself_where_that_is_asked_for(tiny, target, tmp_path, method):
    job = tiny("pooled").job(tmp_path, "int8")
    recipe = msgspec.structs.replace(job.recipe, options={"ort_method": method})
    job = dataclasses.replace(job, recipe=recipe, ranges={}, output=tmp_path / "x.onnx")
    file = TinyFile(tiny("pooled"), job.output, target.convert(job))
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > 20
    assert read_file(file.path).spec == file.model.spec
    assert file.converted.ops["Conv uint8"] == 2
    wanted = [TensorSpec(name=name, shape=(), dtype="float32") for name in ("c", "m", "none")]
    model = onnx.load(file.model.path)
    with closing(target.open_layers(file.path, file.converted.inputs, wanted, model)) as inside:
        found = inside.run(file.model.feeds)
    assert set(found) == {"c", "m"}
    ranges = {each.name: (each.min, each.max) for each in read_file(file.path).quantized}
    for each in inside.outputs:
        (scale,), (zero,) = each.quant.scale, each.quant.zero_point
        held = scale * (-128 - zero), scale * (127 - zero)
        assert held == pytest.approx(ranges[each.name]), "as of int8"


def test_int8_of_a_transformer_block_says_what_it_was(convert):
    file = convert("block", "int8")
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > 35
