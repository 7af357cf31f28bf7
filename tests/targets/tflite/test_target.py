"""Conversions of small models, run and held against ONNX Runtime."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from importlib.metadata import version

import msgspec
import numpy as np
import onnx
import pytest

from mobileq.errors import (
    InputError,
    MobileqError,
    ToolError,
    UnsupportedOperatorError,
    UsageError,
    VerificationError,
)
from mobileq.graph.outline import tensor_specs
from mobileq.preparation.prepare import prepare
from mobileq.spec import ModelSpec, QuantRecipe
from mobileq.targets.tflite.quantizer import REFERENCE_KERNELS_NOTE
from mobileq.targets.tflite.target import TfliteTarget
from mobileq.tasks.detect.raw_head import raw_head

from ..tiny import TinyFile, convert_once, kept, make, of_file, sqnr_db
from ..tiny_models import MODELS, weights

LEAST_DB = {"fp32": 120, "fp16": 65, "dynamic": 40, "int8": 35, "int16x8": 40}
"""A float32 file differs by rounding only (140 dB); each of the others shows its own error."""
MOST_DB = {"fp32": np.inf, "fp16": 100, "dynamic": 75, "int8": 75, "int16x8": 75}
VARIANTS = [
    ("fp32", "float32"),
    ("fp16", "float32"),
    ("dynamic", "float32"),
    ("int8", "float32"),
    ("int8", "int8"),
    ("int8", "uint8"),
    ("int16x8", "float32"),
]


def outputs_of(file: TinyFile, sample: int = 0) -> dict[str, np.ndarray]:
    runner = TfliteTarget().open(file.path, file.converted.inputs, file.converted.outputs)
    try:
        return runner.run({file.model.spec.inputs[0].name: file.model.samples[sample]})
    finally:
        runner.close()


@pytest.mark.parametrize(
    ("name", "precision", "io"),
    [
        *((name, *variant) for name in ("anchors", "scores") for variant in VARIANTS),
        *(
            (name, *VARIANTS[at])
            for name in ("conv", "cube", "pixels", "upsampled")
            for at in (0, 3)
        ),
        ("pixels", "int8", "uint8"),
    ],
)
def test_file_gives_what_the_model_gives(convert, name, precision, io):
    file = convert(name, precision, io)
    found = outputs_of(file)
    assert list(found) == [output.name for output in file.model.spec.outputs]
    for key, wanted in file.model.wanted.items():
        assert found[key].dtype == np.float32
        assert found[key].shape == wanted.shape
        assert LEAST_DB[precision] < sqnr_db(wanted, found[key]) < MOST_DB[precision]


@pytest.mark.parametrize("name", MODELS)
def test_float_file_is_within_rounding_of_the_model(convert, name):
    file = convert(name, "fp32")
    for key, found in outputs_of(file).items():
        wanted = file.model.wanted[key]
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6 * np.abs(wanted).max())


def test_input_is_told_as_the_file_takes_it(convert):
    (found,) = convert("conv", "fp32").converted.inputs
    assert (found.name, found.shape, found.dtype) == ("x", (1, 16, 12, 3), "float32")
    assert (found.layout, found.permutation) == ("NHWC", (0, 2, 3, 1))


def test_pixel_input_stays_as_it_is(convert):
    for precision in ("fp32", "int8"):
        (found,) = convert("pixels", precision).converted.inputs
        assert (found.shape, found.dtype) == ((1, 16, 12, 3), "uint8")
        assert (found.layout, found.permutation, found.quant) == ("NHWC", None, None)


@pytest.mark.parametrize(("io", "zero"), [("int8", -128), ("uint8", 0)])
@pytest.mark.parametrize("precision", ["int8", "int8-full"])
def test_pixel_input_is_an_integer_with_a_scale_where_that_is_asked_for(
    convert, precision, io, zero
):
    file = convert("pixels", precision, io)
    (found,) = file.converted.inputs
    assert (found.dtype, found.quant.scale, found.quant.zero_point) == (io, (1.0,), (zero,))
    assert (found.layout, found.permutation) == ("NHWC", None)
    assert not any(op.startswith("CAST") for op in file.converted.ops)
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > 35


@pytest.mark.parametrize("name", ["conv", "anchors", "cube", "upsampled"])
def test_outputs_have_the_axes_of_the_model_in_the_file_itself(convert, name):
    file = convert(name, "fp32")
    for found, wanted in zip(file.converted.outputs, file.model.spec.outputs, strict=True):
        assert found.shape == wanted.shape
        assert found.permutation is None
        assert found.layout == wanted.layout


@pytest.mark.parametrize("name", ["scores", "anchors", "upsampled"])
@pytest.mark.parametrize("io", ["float32", "int8", "uint8"])
def test_integer_file_takes_and_gives_the_type_that_was_asked_for(convert, io, name):
    """Also where some outputs are float ops'."""
    file = convert(name, "int8", io)
    for spec in (*file.converted.inputs, *file.converted.outputs):
        assert spec.dtype == io
        assert (spec.quant is not None) == (io != "float32")


def test_uint8_file_is_the_int8_file_shifted_by_128(convert):
    shifted, plain = convert("scores", "int8", "uint8"), convert("scores", "int8", "int8")
    for ours, theirs in zip(
        (*shifted.converted.inputs, *shifted.converted.outputs),
        (*plain.converted.inputs, *plain.converted.outputs),
        strict=True,
    ):
        assert ours.quant is not None
        assert theirs.quant is not None
        assert ours.quant.scale == theirs.quant.scale
        assert ours.quant.zero_point[0] == theirs.quant.zero_point[0] + 128
    for sample in range(4):
        np.testing.assert_array_equal(
            outputs_of(shifted, sample)["y"], outputs_of(plain, sample)["y"]
        )


def test_decoding_after_the_last_weights_stays_in_float(convert):
    assert "LOGISTIC float32" in convert("anchors", "int8", "int8").converted.ops


@pytest.mark.parametrize("end", ["x", "y"])
def test_integer_end_without_a_range_is_refused(tiny, tmp_path, end):
    job = tiny("scores").job(tmp_path, "int8", "int8")
    known = {name: found for name, found in job.ranges.items() if name != end}
    with pytest.raises(UsageError, match=f"there is no range for '{end}'"):
        kept().convert(dataclasses.replace(job, ranges=known))


def test_ops_that_are_to_stay_in_float_do(convert):
    kept = convert("scores", "int8", keep_float=("c", "r", "y"))
    assert "QUANTIZE" not in kept.converted.ops
    wanted = kept.model.wanted["y"]
    # Float convolutions of an int8 file have float16 weights.
    np.testing.assert_allclose(outputs_of(kept)["y"], wanted, rtol=2e-3, atol=2e-3)


def test_op_whose_output_is_transposed_stays_in_float(convert):
    kept = convert("conv", "int8", keep_float=("c", "y"))
    assert kept.converted.ops["TRANSPOSE float32"] == 1
    assert "CONV_2D float32" in kept.converted.ops


def test_weights_get_smaller_with_the_precision(convert):
    files = {key: convert("scores", key) for key in ("fp32", "fp16", "int8")}
    ops = {key: file.converted.ops for key, file in files.items()}
    assert ops["fp32"]["CONV_2D float32"] == ops["fp16"]["CONV_2D float32"] == 1
    assert ops["int8"]["CONV_2D int8"] == 1
    assert ops["fp16"]["DEQUANTIZE float32"] >= 2
    assert files["fp32"].path.stat().st_size > files["fp16"].path.stat().st_size


def test_weights_of_three_dimensions_are_halved_too(convert):
    ops = convert("volume", "fp16").converted.ops
    assert (ops["CONV_3D float32"], ops["DEQUANTIZE float32"]) == (1, 2)  # and its bias


def test_slow_precision_comes_with_a_note(convert):
    assert convert("conv", "int16x8").converted.notes == (REFERENCE_KERNELS_NOTE,)
    assert convert("conv", "int8").converted.notes == ()


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_same_model_gives_the_same_bytes(tiny, convert, tmp_path, precision):
    first = convert("anchors", precision)
    job = tiny("anchors").job(tmp_path, precision)
    convert_once(job, TfliteTarget)  # in another process
    assert job.output.read_bytes() == first.path.read_bytes()


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_calibrated_precision_without_pictures_is_refused(tiny, tmp_path, precision):
    job = tiny("conv").job(tmp_path, precision, calibrated=False)
    with pytest.raises(UsageError, match="calibrate"):
        kept().convert(job)


def test_model_without_inputs_is_refused_for_that(tiny, tmp_path):
    job = tiny("conv").job(tmp_path, "fp32")
    job = dataclasses.replace(job, spec=msgspec.structs.replace(job.spec, inputs=()))
    with pytest.raises(UnsupportedOperatorError, match="has no inputs, without which TFLite"):
        kept().convert(job)


def test_model_of_another_shape_than_its_spec_is_refused(tiny, tmp_path):
    job = tiny("anchors").job(tmp_path, "fp32")
    (output,) = job.spec.outputs
    wrong = type(output)(name="y", shape=(1, 80, 7), dtype="float32")
    spec = ModelSpec(
        name="x", task="unknown", family=None, inputs=job.spec.inputs, outputs=(wrong,)
    )
    job = type(job)(**{**vars(job), "spec": spec})
    with pytest.raises(VerificationError, match=r"'y' has shape \[1, 6, 80\].*\[1, 80, 7\]"):
        kept().convert(job)


def test_file_that_is_no_model_is_a_tool_error(tiny, tmp_path):
    job = tiny("conv").job(tmp_path, "fp32")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model at all")
    with pytest.raises(ToolError, match=r"onnx2tf .* while converting conv"):
        kept().convert(type(job)(**{**vars(job), "model": broken}))
    assert not job.output.exists()


def test_original_model_is_left_alone(tiny, convert):
    model = tiny("conv")
    before = model.path.read_bytes()
    convert("conv", "fp32")
    assert model.path.read_bytes() == before
    assert not list(model.path.parent.glob("*/*.onnx"))


def test_progress_tells_of_each_stage(tiny, tmp_path):
    heard: list[tuple[str, int | None]] = []

    class Listener:
        @contextmanager
        def stage(self, name, total=None):
            heard.append((name, total))
            yield lambda: None

        def notice(self, text):
            raise AssertionError(text)

    kept().convert(tiny("conv").job(tmp_path, "int8", progress=Listener()))
    assert heard == [
        ("Converting with onnx2tf (direct)", None),
        ("Quantizing to int8", None),
    ]


def test_versions_are_those_of_the_packages_at_work():
    found = TfliteTarget().tool_versions(QuantRecipe(precision="int8"))
    assert found["onnx2tf"] == version("onnx2tf")
    assert set(found) == {"onnx2tf", "ai-edge-quantizer", "ai-edge-litert"}


@pytest.mark.parametrize("keep", [2000, 100, 8, 3, 0])
def test_damaged_file_is_an_error_and_not_a_crash(convert, tmp_path, keep):
    file = convert("conv", "fp32")
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(file.path.read_bytes()[:keep])
    with pytest.raises(MobileqError) as caught:
        TfliteTarget().open(damaged, file.converted.inputs, file.converted.outputs).close()
    assert "damaged.tflite" in caught.value.message


def test_input_of_equal_axes_keeps_its_order(convert):
    (found,) = convert("cube_in", "fp32").converted.inputs
    assert (found.shape, found.permutation) == ((1, 8, 8, 8), None)


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("name", ["anchors", "cube", "cube_in"])
def test_engine_tensorflow_gives_what_the_model_gives(tiny, tmp_path, monkeypatch, name):
    pytest.importorskip("tensorflow", exc_type=ImportError)
    if name == "cube":  # as a large model, whose converter does not stay
        monkeypatch.setattr("mobileq.targets.tflite.target._SMALL", 0)
    job = tiny(name).job(tmp_path, "int8", engine="tensorflow")
    file = TinyFile(tiny(name), job.output, kept().convert(job))
    for found, wanted in zip(file.converted.outputs, file.model.spec.outputs, strict=True):
        assert found.shape == wanted.shape
    for key, array in outputs_of(file).items():
        assert sqnr_db(file.model.wanted[key], array) > 30


@pytest.mark.real_model
@pytest.mark.slow
def test_raw_head_with_as_many_classes_as_cells_keeps_its_axes(data_folder, tmp_path):
    """yolov8n at 640: the scores at stride 8 are [1, 80, 80, 80]."""
    prepared = prepare(data_folder / "models" / "yolov8n_320_deq.onnx")
    model, spec = raw_head(prepared.model, prepared.spec)
    model.graph.ClearField("value_info")
    for value in (*model.graph.input, *model.graph.output):
        for axis in value.type.tensor_type.shape.dim[2:]:
            axis.dim_value *= 2
    inputs, outputs = tensor_specs(model)
    assert (1, 80, 80, 80) in [output.shape for output in outputs]
    spec = msgspec.structs.replace(spec, inputs=inputs, outputs=outputs)
    path = tmp_path / "raw.onnx"
    onnx.save(model, path)
    raw = of_file(path, spec)
    job = raw.job(tmp_path, "fp32")
    file = TinyFile(raw, job.output, kept().convert(job))
    for key, array in outputs_of(file).items():
        assert sqnr_db(file.model.wanted[key], array) > 60


def test_error_of_a_missing_file_names_it(tiny, tmp_path):
    model = tiny("conv")
    with pytest.raises((VerificationError, InputError), match=r"none\.tflite"):
        TfliteTarget().open(tmp_path / "none.tflite", model.spec.inputs, model.spec.outputs)


@pytest.mark.parametrize(
    "part", ["j = Slice(r, one, three, one)", "j, k = Split<axis=1>(r, sizes)"]
)
def test_range_of_a_part_is_not_taken_for_the_whole(monkeypatch, tmp_path, part):
    # Nodes without names: what the convolution d takes is in no report of onnx2tf.
    graph = f"""g (float[1,3,8,8] x) => (float[1,4,8,8] y, float[1,4,8,8] z) {{
        c = Conv<pads=[1,1,1,1]>(x, w)
        r = HardSwish(c)
        d = Conv<pads=[1,1,1,1]>(r, v)
        z = Sigmoid(d)
        {part}
        e = Conv(j, u)
        y = Sigmoid(e)
    }}"""
    spread = np.geomspace(0.01, 10, 8, dtype=np.float32)[:, None, None, None]
    constants = {
        "w": weights(8, 3, 3, 3) * spread, "v": weights(4, 8, 3, 3) / 10,
        "u": weights(4, 2, 1, 1), "one": np.array([1]), "three": np.array([3]),
        "sizes": np.array([2, 6]),
    }  # fmt: skip
    monkeypatch.setitem(MODELS, "part", (graph, constants))
    model = make("part", tmp_path)
    job = model.job(tmp_path, "int8")
    file = TinyFile(model, job.output, kept().convert(job))
    assert sqnr_db(model.wanted["z"], outputs_of(file)["z"]) > 30
