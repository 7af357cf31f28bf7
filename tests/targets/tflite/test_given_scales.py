"""int8 files of models that came quantized: their scales, and ONNX Runtime's results."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper, parser

from mobileq.graph.quantized import strip_quantizers
from mobileq.progress import Silent
from mobileq.quantize.given_plan import given_plan
from mobileq.spec import ModelSpec, QuantRecipe, TensorSpec
from mobileq.targets.base import ConversionJob, Converted
from mobileq.targets.reference import ReferenceRunner
from mobileq.targets.tflite import contents, flatbuffer
from mobileq.targets.tflite.target import TfliteTarget
from mobileq.targets.tflite.weights import weight_scales

from ..tiny import kept

OUTPUT_STEP = 0.03
ACTIVATIONS = {
    "x": (0.004, np.uint8(2)),
    "r": (0.011, np.int8(-128)),
    "p": (0.011, np.int8(-128)),
    "u": (0.011, np.int8(-128)),
    "k": (0.02, np.uint8(131)),
    "a": (0.025, np.uint8(100)),
    "t": (0.027, np.uint8(90)),
    "d": (0.04, np.int8(7)),
    "o": (OUTPUT_STEP, np.int8(-13)),
}
LARGEST_CODE = 100
"""Of all weights: their scale is larger than the largest value / 127."""


def pair(name: str) -> str:
    return (
        f"{name}q = QuantizeLinear({name}, {name}_s, {name}_z)"
        f" {name}d = DequantizeLinear({name}q, {name}_s, {name}_z)"
    )


def convolution(name: str, takes: str, options: str = "") -> str:
    return (
        f"w{name} = DequantizeLinear<axis=0>(w{name}_q, w{name}_s, w{name}_z)"
        f" b{name} = DequantizeLinear<axis=0>(b{name}_q, b{name}_s)"
        f" {name} = Conv{options}({takes}, w{name}, b{name})"
    )


TEXT = f"""g (float[1,3,16,16] x) => (float[1,5,16,16] y) {{
    {pair("x")}
    {convolution("c", "xd", "<pads=[1,1,1,1]>")}
    r = Relu(c)
    {pair("r")}
    p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(rd)
    {pair("p")}
    u = Resize<mode="nearest", nearest_mode="floor",
        coordinate_transformation_mode="asymmetric">(pd, , factors)
    {pair("u")}
    {convolution("k", "ud", "<pads=[1,1,1,1], group=8>")}
    {pair("k")}
    a = Add(kd, rd)
    {pair("a")}
    t = Concat<axis=1>(ad, kd)
    {pair("t")}
    {convolution("d", "td")}
    {pair("d")}
    {convolution("o", "dd")}
    {pair("o")}
    y = Identity(od)
}}"""
SHAPES = {"c": (8, 3, 3, 3), "k": (8, 1, 3, 3), "d": (6, 16, 1, 1), "o": (5, 6, 1, 1)}
TAKEN = {"c": "x", "k": "u", "d": "t", "o": "d"}


def quantized_model() -> ModelProto:
    """Every activation has a pair; weights have a scale per channel, biases 32 bits."""
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{TEXT}')
    draw = np.random.default_rng(5)
    arrays: dict[str, np.ndarray] = {"factors": np.array([1, 1, 2, 2], np.float32)}
    for name, (scale, zero) in ACTIVATIONS.items():
        arrays[f"{name}_s"], arrays[f"{name}_z"] = np.array(scale, np.float32), np.array(zero)
    for name, shape in SHAPES.items():
        limit = LARGEST_CODE
        codes = draw.integers(-limit, limit + 1, shape).astype(np.int8)
        scale = draw.uniform(0.5, 1.5, shape[0]) / limit / np.sqrt(np.prod(shape[1:]))
        arrays[f"w{name}_q"] = codes
        arrays[f"w{name}_s"] = scale.astype(np.float32)
        arrays[f"w{name}_z"] = np.zeros(shape[0], np.int8)
        bias_scale = np.float32(ACTIVATIONS[TAKEN[name]][0]) * scale.astype(np.float32)
        arrays[f"b{name}_q"] = np.round(draw.uniform(-0.3, 0.3, shape[0]) / bias_scale)
        arrays[f"b{name}_q"] = arrays[f"b{name}_q"].astype(np.int32)
        arrays[f"b{name}_s"] = bias_scale
    for name, array in arrays.items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    onnx.checker.check_model(model)
    return model


@dataclass(frozen=True)
class Made:
    quantized: ModelProto
    path: Path
    converted: Converted
    file: Any

    def weights(self, codes: np.ndarray):
        """(the file's weights, bias) whose codes are these, up to the order of axes."""
        graph = self.file.subgraphs[0]
        for op in graph.operators:
            if contents.op_name(self.file, op) not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
                continue
            depthwise = contents.op_name(self.file, op) == "DEPTHWISE_CONV_2D"
            weights, bias = graph.tensors[op.inputs[1]], graph.tensors[op.inputs[2]]
            found = self.values(weights, np.int8)
            order = (3, 0, 1, 2) if depthwise else (0, 3, 1, 2)
            if found.size == codes.size and np.array_equal(found.transpose(order), codes):
                return weights, bias
        raise AssertionError("no convolution has these codes")

    def values(self, tensor, dtype) -> np.ndarray:
        data = bytes(self.file.buffers[tensor.buffer].data)
        return np.frombuffer(data, dtype).reshape([int(each) for each in tensor.shape])


def job_of(quantized: ModelProto, folder: Path, taken, given_shape) -> ConversionJob:
    """int8 of a model with an input `x` and an output `y`, without a sample to calibrate on."""
    model, given, _ = strip_quantizers(quantized)
    onnx.save(model, folder / "model.onnx")
    ends = [
        (TensorSpec(name=name, shape=shape, dtype="float32", layout=layout),)
        for name, shape in (("x", taken), ("y", given_shape))
        for layout in ("NCHW" if len(shape) == 4 else None,)
    ]
    plan = given_plan(model, given, ())
    assert plan.keep_float == ()
    return ConversionJob(
        model=folder / "model.onnx",
        spec=ModelSpec(name="m", task="unknown", family=None, inputs=ends[0], outputs=ends[1]),
        recipe=QuantRecipe(precision="int8", calibrator=plan.calibrator, io="int8"),
        ranges=plan.ranges,
        keep_float=plan.keep_float,
        samples=None,
        sample_count=0,
        output=folder / "int8.tflite",
        scratch=folder,
        progress=Silent(),
        given=given,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    quantized = quantized_model()
    folder = tmp_path_factory.mktemp("given")
    job = job_of(quantized, folder, (1, 3, 16, 16), (1, 5, 16, 16))
    converted = kept().convert(job)
    return Made(quantized, job.output, converted, flatbuffer.read_model(job.output))


def arrays(model: ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_results_are_those_of_onnx_runtime(made: Made):
    inputs = (TensorSpec(name="x", shape=(1, 3, 16, 16), dtype="float32"),)
    outputs = (TensorSpec(name="y", shape=(1, 5, 16, 16), dtype="float32"),)
    reference = ReferenceRunner(made.quantized.SerializeToString(), inputs, outputs)
    runner = TfliteTarget().open(made.path, made.converted.inputs, made.converted.outputs)
    draw = np.random.default_rng(1)
    steps = []
    for _ in range(8):
        x = draw.random((1, 3, 16, 16), np.float32)
        wanted, found = reference.run({"x": x})["y"], runner.run({"x": x})["y"]
        steps.append(np.abs(wanted - found) / OUTPUT_STEP)
        assert wanted.std() > 5 * OUTPUT_STEP
    runner.close()
    reference.close()
    assert np.mean(np.array(steps) > 0.01) < 0.05
    assert np.mean(np.array(steps) > 1.01) < 0.001


def test_scales_of_one_model_change_no_file_after_it(tmp_path: Path):
    job = job_of(quantized_model(), tmp_path, (1, 3, 16, 16), (1, 5, 16, 16))
    plain = replace(job, given=None, samples=lambda: [])
    with closing(TfliteTarget()) as target:
        written = []
        for each in (plain, job, plain):
            target.convert(each)
            written.append(each.output.read_bytes())
    assert written[0] == written[2] != written[1]


def test_activations_have_the_models_scales_and_zero_points(made: Made):
    """Also "a" and "k", which feed a concatenation that has another one."""
    written = {
        (float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0]))
        for tensor in made.file.subgraphs[0].tensors
        if contents.dtype_name(tensor) == "int8" and len(tensor.quantization.scale) == 1
    }
    wanted = {
        (float(np.float32(scale)), int(zero) - (128 if zero.dtype == np.uint8 else 0))
        for scale, zero in ACTIVATIONS.values()
    }
    assert written == wanted
    assert made.converted.inputs[0].quant is not None
    assert made.converted.inputs[0].quant.zero_point == (2 - 128,)


@pytest.mark.parametrize("name", SHAPES)
def test_weights_keep_their_codes_and_scales(made: Made, name: str):
    stored = arrays(made.quantized)
    weights, bias = made.weights(stored[f"w{name}_q"])
    assert np.array_equal(np.array(weights.quantization.scale, np.float32), stored[f"w{name}_s"])
    assert not np.any(weights.quantization.zeroPoint)
    assert np.array_equal(made.values(bias, np.int32), stored[f"b{name}_q"])
    assert np.array(bias.quantization.scale) == pytest.approx(stored[f"b{name}_s"], rel=1e-6)


def test_no_float_is_left_inside(made: Made):
    kinds = {contents.dtype_name(tensor) for tensor in made.file.subgraphs[0].tensors}
    assert kinds == {"int8", "int32"}


def test_weights_that_were_changed_are_not_found(made: Made):
    model, given, _ = strip_quantizers(made.quantized)
    file = flatbuffer.read_model(made.path.with_name("direct") / "float32.tflite")
    found = weight_scales(model, given.constants, file)
    assert sorted(len(scale) for _, scale in found.values()) == [5, 6, 8, 8]
    assert sorted(axis for axis, _ in found.values()) == [0, 0, 0, 3]
    for tensor in model.graph.initializer:
        if tensor.name == "wd":
            values = numpy_helper.to_array(tensor).copy()
            values[0, 0] += 0.001
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    assert len(weight_scales(model, given.constants, file)) == 3


@pytest.mark.parametrize(
    ("node", "taken", "given_shape", "shape", "op"),
    [
        ("ConvTranspose<strides=[2,2], kernel_shape=[2,2]>",
         (1, 2, 4, 4), (1, 3, 8, 8), (2, 3, 2, 2), "TRANSPOSE_CONV"),
        ("Gemm<transB=1>", (1, 6), (1, 5), (5, 6), "FULLY_CONNECTED"),
        ("Gemm", (1, 6), (1, 5), (6, 5), "FULLY_CONNECTED"),
    ],
)  # fmt: skip
def test_other_ops_weights_keep_theirs_too(
    tmp_path: Path, node: str, taken, given_shape, shape, op: str
):
    """One scale for all channels, as PyTorch's observers have it by default."""
    quantized = parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        g (float{list(taken)} x) => (float{list(given_shape)} y) {{
            {pair("x")}
            wd = DequantizeLinear(w, x_s)
            o = {node}(xd, wd)
            {pair("o")}
            y = Identity(od)
        }}"""
    )
    codes = np.random.default_rng(2).integers(-90, 91, shape).astype(np.int8)
    stored = {"w": codes, "x_s": np.float32(0.01), "x_z": np.int8(0), "o_s": np.float32(0.05)}
    for name, value in {**stored, "o_z": np.int8(3)}.items():
        quantized.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    job = job_of(quantized, tmp_path, taken, given_shape)
    assert f"{op} int8" in kept().convert(job).ops
    file = flatbuffer.read_model(job.output)
    found = [
        np.frombuffer(bytes(file.buffers[tensor.buffer].data), np.int8)
        for tensor in file.subgraphs[0].tensors
        if contents.dtype_name(tensor) == "int8" and file.buffers[tensor.buffer].data is not None
    ]
    assert [sorted(each) for each in found] == [sorted(codes.ravel())]
