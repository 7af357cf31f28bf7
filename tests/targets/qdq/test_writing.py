from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, numpy_helper, parser

from mobileq.errors import InputError
from mobileq.graph.given_quantization import GivenQuantization
from mobileq.graph.outline import attribute, constants, producers, with_outputs
from mobileq.graph.quantized import strip_quantizers
from mobileq.graph.shapes import infer_shapes
from mobileq.onnx_runtime import SessionOptions, open_session
from mobileq.spec import QuantParams, TensorRange
from mobileq.targets.qdq.options import QdqOptions
from mobileq.targets.qdq.writing import quantized_model

from ..tiny import TinyModel, make, sqnr_db
from ..tiny_models import MODELS, weights

UNSIGNED = QdqOptions(weight_type="uint8")
"""No kernel of x86 cuts off sums of its products."""
INPUTS = QdqOptions(kernels="inputs")
Tiny = Callable[[str], TinyModel]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    made: dict[str, TinyModel] = {}

    def of(name: str) -> TinyModel:
        if name not in made:
            made[name] = make(name, tmp_path_factory.mktemp(name))
        return made[name]

    return of


def written(model: TinyModel, options: QdqOptions | None = None, keep_float=(), **more):
    ranges = more.pop("ranges", None) or model.ranges()
    made = quantized_model(onnx.load(model.path), ranges, keep_float, options, **more)
    onnx.checker.check_model(made, full_check=True)
    return made


def outputs_of(model: ModelProto, feeds, optimization="all") -> list[np.ndarray]:
    return open_session(model, SessionOptions(threads=1, optimization=optimization)).run(
        None, feeds
    )


def kernels(model: ModelProto, folder: Path) -> Counter[str]:
    """What ONNX Runtime makes of it."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    del session
    return Counter(node.op_type for node in onnx.load(folder / "optimized.onnx").graph.node)


def stored(model: ModelProto, name: str) -> np.ndarray:
    """The codes that the DequantizeLinear of this result takes."""
    return constants(model.graph)[producers(model.graph)[name].input[0]]


def pairs(model: ModelProto) -> dict[str, tuple[float, int]]:
    """{tensor: (scale, zero-point)} of each QuantizeLinear."""
    values = constants(model.graph)
    return {
        node.input[0]: (float(values[node.input[1]]), int(values[node.input[2]]))
        for node in model.graph.node
        if node.op_type == "QuantizeLinear"
    }


@pytest.mark.parametrize("name", MODELS)
def test_both_kinds_run_at_every_optimization(tiny: Tiny, name: str):
    model = tiny(name)
    for options in (UNSIGNED, INPUTS, QdqOptions(activation_type="int8", weight_type="int8")):
        made = written(model, options)
        assert made == written(model, options)
        found = outputs_of(made, model.feeds, "basic")
        for wanted, value in zip(model.wanted.values(), found, strict=True):
            assert sqnr_db(wanted, value) > 35
    for wanted, value in zip(
        model.wanted.values(), outputs_of(written(model, UNSIGNED), model.feeds), strict=True
    ):
        assert sqnr_db(wanted, value) > 35


@pytest.mark.parametrize(
    ("name", "integer", "gone"),
    [
        ("conv", {"QLinearConv": 1}, {"Conv", "Relu"}),
        ("depthwise", {"QLinearConv": 2}, {"Conv", "Relu"}),
        (
            "pooled",
            {
                "QLinearConv": 2, "QLinearSigmoid": 1, "QLinearMul": 1, "NhwcMaxPool": 2,
                "QLinearConcat": 1, "QuantizeLinear": 1, "DequantizeLinear": 1,
            },
            {"Conv", "Sigmoid", "Mul", "MaxPool", "Concat"},
        ),
        ("scores", {"QLinearConv": 1, "QGemm": 1, "QuantizeLinear": 1}, {"Conv", "Gemm"}),
        (
            "attention",
            {"QLinearConv": 2, "QLinearMatMul": 2, "QLinearSoftmax": 1, "QuantizeLinear": 1},
            {"Conv", "MatMul", "Softmax"},
        ),
        ("branches", {"QLinearConv": 2, "QLinearAdd": 1}, {"Relu"}),
        ("hard_swish", {"QLinearConv": 2}, {"Conv"}),
    ],
)  # fmt: skip
def test_onnx_runtime_makes_integer_kernels(tiny: Tiny, tmp_path: Path, name, integer, gone):
    found = kernels(written(tiny(name)), tmp_path)
    assert {op: found[op] for op in integer} == integer
    assert gone.isdisjoint(found)


def clipped(low: float) -> ModelProto:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,8,6,6] x) => (float[1,8,6,6] y) {
            c = Conv(x, w)
            r = Clip(c, low, high)
            y = Conv(r, w)
        }"""
    )
    values = {"w": weights(8, 8, 1, 1), "low": np.float32(low), "high": np.float32(6)}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()
    )
    return model


@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (0.0, 4.0), (-0.001, 6.001), (0.0, 6.02)])
def test_clip_is_part_of_the_kernel_before_it(tmp_path: Path, low: float, high: float):
    ranges = {name: TensorRange(min=-9.0, max=9.0) for name in "xcy"}
    made = quantized_model(clipped(0), {**ranges, "r": TensorRange(min=low, max=high)}, ())
    assert set(pairs(made)) == {"x", "r", "y/float"}
    found = kernels(made, tmp_path)
    assert (found["QLinearConv"], found["Clip"]) == (2, 0)


def test_clip_within_the_range_is_left(tmp_path: Path):
    ranges = {name: TensorRange(min=-9.0, max=9.0) for name in "xcry"}
    made = quantized_model(clipped(-1), ranges, ())
    assert set(pairs(made)) == {"x", "c", "r", "y/float"}
    found = kernels(made, tmp_path)
    assert (found["QLinearConv"], found["Clip"]) == (2, 1)


def test_clip_of_what_is_float_stays_float_with_it():
    ranges = {name: TensorRange(min=-9.0, max=9.0) for name in "xcry"}
    assert set(pairs(quantized_model(clipped(0), ranges, ("c",)))) == {"r", "y/float"}


def test_clip_keeps_its_range_where_a_concatenation_has_one_beyond_it():
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,8,6,6] x) => (float[1,8,6,6] y) {
            c = Conv(x, w)
            r = Relu(c)
            n = Conv(x, w)
            j = Concat<axis = 1>(r, n)
            y = Conv(j, v)
        }"""
    )
    for name, shape in {"w": (8, 8, 1, 1), "v": (8, 16, 1, 1)}.items():
        model.graph.initializer.append(numpy_helper.from_array(weights(*shape), name))
    ranges = {name: TensorRange(min=-9.0, max=9.0) for name in "xcrnjy"}
    found = pairs(quantized_model(model, ranges, ()))
    assert found["n"] == found["j"] != found["r"]


def test_bias_of_a_product_is_added_in_float(tmp_path: Path):
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,7,12] x) => (float[1,7,9] y) {
            p = MatMul(x, w)
            s = Add(b, p)
            y = MatMul(s, v)
        }"""
    )
    values = {"w": weights(12, 16), "b": 9 * weights(16), "v": weights(16, 9)}
    model.graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in values.items())
    ranges = {"x": TensorRange(min=0.0, max=1.0), "p": TensorRange(min=-3.0, max=3.0)}
    ranges |= {name: TensorRange(min=-9.0, max=9.0) for name in "sy"}
    made = quantized_model(model, ranges, (), UNSIGNED)
    assert set(pairs(made)) == {"x", "s", "y/float"}
    assert "b" in {tensor.name for tensor in made.graph.initializer}
    # ONNX Runtime makes a Gemm of the two, and rounds the bias to 32 bits.
    assert kernels(made, tmp_path) >= Counter(QGemm=1, QLinearMatMul=1)
    feeds = {"x": np.random.default_rng(0).random((1, 7, 12), np.float32)}
    for optimization in ("basic", "all"):
        (found,) = outputs_of(made, feeds, optimization)
        assert sqnr_db(outputs_of(model, feeds)[0], found) > 30


@pytest.mark.parametrize("spread", [0.02, 4.0])
def test_attention_to_all_tokens_alike_is_not_summed_up_to_infinity(spread):
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,24,12] x) => (float[1,24,9] y) {
            p = MatMul(x, w)
            s = Softmax<axis = 1>(p)
            y = MatMul(s, v)
        }"""
    )
    values = {"w": weights(12, 16), "v": weights(16, 9)}
    model.graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in values.items())
    feeds = {"x": spread * np.random.default_rng(0).normal(size=(1, 24, 12)).astype(np.float32)}
    inner = with_outputs(model, ("x", "p", "s", "y"))
    found = zip("xpsy", outputs_of(inner, feeds), strict=True)
    ranges = {name: TensorRange(min=float(v.min()), max=float(v.max())) for name, v in found}
    made = quantized_model(infer_shapes(model), ranges, (), UNSIGNED)
    steps, fused = (outputs_of(made, feeds, each)[0] for each in ("basic", "all"))
    assert sqnr_db(steps, fused) > 30
    assert sqnr_db(outputs_of(model, feeds)[0], fused) > 30


def test_decoding_stays_float_without_anyone_naming_it(tiny: Tiny, tmp_path: Path):
    made = written(tiny("anchors"))
    assert set(pairs(made)) == {"x", "r", "fine", "coarse"}
    found = kernels(made, tmp_path)
    assert (found["QLinearConv"], found["Concat"], found["Sigmoid"]) == (3, 1, 1)


def test_decoding_with_scales_of_its_own_keeps_them(tiny: Tiny, tmp_path: Path):
    made = written(tiny("anchors"), given=GivenQuantization(ranges={}, constants={}))
    found = kernels(made, tmp_path)
    assert (found["QLinearConcat"], found["QLinearSigmoid"]) == (1, 1)


def test_nodes_of_tensors_kept_float_have_no_pairs(tiny: Tiny, tmp_path: Path):
    model = tiny("pooled")
    made = written(model, keep_float=("c", "s", "m"))
    # What only moves the float values is float as well.
    assert set(pairs(made)) == {"m", "p", "q", "j", "y/float"}
    found = kernels(made, tmp_path)
    assert (found["QLinearConv"], found["Conv"], found["MaxPool"]) == (1, 1, 2)


def test_a_node_without_a_range_stays_float(tiny: Tiny, tmp_path: Path):
    model = tiny("pooled")
    ranges = {name: found for name, found in model.ranges().items() if name != "s"}
    made = written(model, ranges=ranges)
    assert kernels(made, tmp_path) >= Counter(QLinearConv=2, QLinearConcat=1)
    assert "s" not in pairs(made)


def test_what_is_moved_keeps_its_scale(tiny: Tiny):
    found = pairs(written(tiny("pooled")))
    assert found["m"] == found["p"] == found["q"] != found["j"]


def test_what_is_only_for_a_concatenation_has_its_scale(tiny: Tiny):
    model = tiny("upward")
    wide = {**model.ranges(), "j": TensorRange(min=-40.0, max=40.0)}
    found = pairs(written(model, ranges=wide))
    assert found["u"] == found["j"]


def test_only_inputs_of_convolutions_have_pairs(tiny: Tiny):
    made = written(tiny("pooled"), INPUTS)
    assert set(pairs(made)) == {"x", "j"}
    assert stored(made, "w").dtype == np.int8


@pytest.mark.parametrize(
    ("name", "constant", "axis"), [("upward", "w", 1), ("scores", "v", 0), ("normed", "w", 1)]
)
def test_weights_have_a_scale_for_each_output_channel(tiny: Tiny, name, constant, axis):
    model = tiny(name)
    made = written(model)
    node = producers(made.graph)[constant]
    assert attribute(node, "axis").i == axis
    value = constants(onnx.load(model.path).graph)[constant]
    others = tuple(at for at in range(value.ndim) if at != axis)
    scale = constants(made.graph)[node.input[1]]
    assert scale == pytest.approx(np.abs(value).max(axis=others) / 127)
    assert (np.abs(stored(made, constant)).max(axis=others) == 127).all()


def test_bias_is_in_steps_of_input_times_weights(tiny: Tiny):
    model = tiny("conv")
    made = written(model)
    values = constants(made.graph)
    steps = values[producers(made.graph)["w"].input[1]] * np.float32(pairs(made)["x"][0])
    bias = producers(made.graph)["b"]
    assert values[bias.input[1]] == pytest.approx(steps)
    assert stored(made, "b").dtype == np.int32
    wanted = constants(onnx.load(model.path).graph)["b"]
    assert np.abs(stored(made, "b") * steps - wanted).max() < steps.max()


def test_bias_of_dead_channels_fits(tiny: Tiny):
    model = tiny("dead")
    made = written(model, UNSIGNED)
    (found,) = outputs_of(made, model.feeds)
    assert found[0, 2] == pytest.approx(model.wanted["y"][0, 2], abs=0.05)


@pytest.mark.parametrize(
    ("options", "low", "high", "kind"),
    [
        (QdqOptions(), -127, 127, np.int8),
        (QdqOptions(reduce_range=True), -64, 64, np.int8),
        (QdqOptions(weight_type="uint8"), 1, 255, np.uint8),
        (QdqOptions(weight_type="uint8", reduce_range=True), 64, 192, np.uint8),
    ],
)
def test_codes_of_weights(tiny: Tiny, options, low, high, kind):
    codes = stored(written(tiny("conv"), options), "w")
    assert codes.dtype == kind
    assert min(codes.min() - low, high - codes.max()) == 0
    assert codes.min() >= low


def test_one_scale_for_all_weights(tiny: Tiny):
    made = written(tiny("conv"), QdqOptions(per_channel=False))
    assert constants(made.graph)[producers(made.graph)["w"].input[1]].shape == ()


def test_signed_activations_have_the_same_levels(tiny: Tiny):
    signed = pairs(written(tiny("pooled"), QdqOptions(activation_type="int8")))
    unsigned = pairs(written(tiny("pooled")))
    assert {name: (scale, zero + 128) for name, (scale, zero) in signed.items()} == unsigned


def test_given_scales_of_weights_are_kept(tiny: Tiny):
    model = tiny("conv")
    given = GivenQuantization(
        ranges={}, constants={"w": QuantParams(scale=(0.05,) * 8, zero_point=(0,) * 8, axis=0)}
    )
    made = written(model, given=given)
    assert (constants(made.graph)[producers(made.graph)["w"].input[1]] == np.float32(0.05)).all()


def test_old_operators_are_raised_or_refused():
    ranges = {name: TensorRange(min=-1.0, max=1.0) for name in "xcry"}
    old = clipped(0)
    old.opset_import[0].version = 11
    made = quantized_model(old, ranges, ())
    assert "x" in pairs(made)
    assert made.opset_import[0].version == 13
    onnx.checker.check_model(made, full_check=True)
    unknown = parser.parse_model(
        """<ir_version: 6, opset_import: ["" : 12, "ai.onnx.ml" : 1]>
        g (float[1,3] x) => (float[1,3] y) { y = NoStandard(x) }"""
    )
    with pytest.raises(InputError, match="opset 12"):
        quantized_model(unknown, ranges, ())


# Nothing of a number, made from places, is quantized: there is nothing to take apart.
@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"products", "numbered"}))
def test_taken_apart_it_is_the_float_model_in_steps(tiny: Tiny, name: str):
    model = tiny(name)
    original = onnx.load(model.path)
    stripped, given, notices = strip_quantizers(written(model))
    assert [(node.op_type, list(node.output)) for node in stripped.graph.node] == [
        (node.op_type, list(node.output)) for node in original.graph.node
    ]
    assert [node.input[0] for node in stripped.graph.node] == [
        node.input[0] for node in original.graph.node
    ]
    assert given.ranges
    assert len(notices) == 1
