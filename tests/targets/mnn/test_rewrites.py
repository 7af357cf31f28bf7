"""What MNN gets wrong is right in its file: run on values at which it was seen to be wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from mobileq.graph.shapes import infer_shapes
from mobileq.graph.trial_run import run
from mobileq.spec import ModelSpec
from mobileq.targets.mnn.rewrites import rewritten_for_mnn
from mobileq.targets.mnn.target import MnnTarget

from ..tiny import TinyModel, kept
from ..tiny import _tensor as tensor_spec

DRAW = np.random.default_rng(0)
NORMAL = DRAW.normal(0, 2, (3, 4, 5)).astype(np.float32)
HALVES = np.arange(-7.5, 7.5, 0.25, np.float32).reshape(3, 4, 5)
ODD = np.float32([[0, -np.inf, np.nan], [np.inf, 1, -3e38]])
PICTURE = DRAW.normal(0, 2, (1, 2, 5, 6)).astype(np.float32)
CUBE = DRAW.normal(0, 2, (1, 2, 5, 6, 7)).astype(np.float32)


def _drawn(*shape):
    return DRAW.normal(size=shape).astype(np.float32)


CASES = {
    # rule: (the op, what x is, constants)
    "less": ("b = Less(x, t) y = Cast<to=1>(b)", NORMAL, {"t": NORMAL[::-1]}),
    "both_branches": (
        """m = ReduceMean<keepdims=0>(x) c = Less(m, n)
        q = If(c) <
            then_branch = a () => (float[3,4,5] p) { p = Relu(x) },
            else_branch = b () => (float[3,4,5] e) { g = Neg(x) e = Exp(g) }
        > y = Add(q, x)""",
        NORMAL, {"n": np.float32(-100)},
    ),
    "half_even": ("y = Round(x)", HALVES, {}),
    "shrink": ("y = Shrink<lambd=1.5, bias=0.5>(x)", NORMAL, {}),
    "group_normalization": (
        "q = Relu(x) y = GroupNormalization<num_groups=2>(q, t, t)", NORMAL, {"t": NORMAL[0, :, 0]},
    ),
    "gelu": ("y = Gelu(x)", NORMAL, {}),
    "dropout": ("y = Dropout(x)", NORMAL, {}),
    "gathered": (
        "y = GatherElements<axis=2>(x, i)", NORMAL, {"i": DRAW.integers(-5, 5, (3, 4, 5))},
    ),
    "scattered": (
        "y = ScatterElements<axis=2>(x, i, u)", NORMAL,
        {"i": np.tile(np.array([-1, 1, -3]), (3, 4, 1)), "u": NORMAL[..., :3] + 1},
    ),
    "log_softmax": (
        "y = LogSoftmax(x)", np.float32([[0, 1, 2, 3], [10000, 10001, 10002, 10003]]), {},
    ),
    "gemm": (
        "y = Gemm<transA=1>(x, w)", NORMAL[0], {"w": DRAW.normal(size=(4, 5)).astype(np.float32)},
    ),
    "mean": ("y = Mean(x, t)", NORMAL, {"t": NORMAL[::-1]}),
    "pool_strides": ("y = AveragePool<kernel_shape=[2]>(x)", NORMAL, {}),
    **{
        f"reduced by {op}": (
            f"{before} y = {op}<keepdims=0>({name}, axes)", NORMAL, {"axes": np.int64([1])},
        )
        for op, name, before in [
            ("ReduceL1", "x", ""), ("ReduceL2", "x", ""), ("ReduceSumSquare", "x", ""),
            ("ReduceLogSumExp", "x", ""), ("ReduceLogSum", "a", "a = Abs(x)"),
        ]
    },
    "all reduced": ("y = ReduceMean(x)", NORMAL, {}),
    "none reduced": ("y = ReduceSum<noop_with_empty_axes=1>(x)", NORMAL, {}),
    "conv1d": ("y = Conv<pads=[1, 0]>(x, w)", NORMAL, {"w": _drawn(6, 4, 3)}),
    "transposed conv1d": (
        "y = ConvTranspose<strides=[2], output_padding=[1]>(x, w)", NORMAL, {"w": _drawn(4, 6, 3)},
    ),
    "hardmax": ("y = Hardmax<axis=1>(x)", NORMAL, {}),
    "infinite": ("b = IsInf<detect_positive=0>(x) y = Cast<to=1>(b)", ODD, {}),
    "no number": ("b = IsNaN(x) y = Cast<to=1>(b)", ODD, {}),
    "mish": ("y = Mish(x)", NORMAL, {}),
    "power": ("y = Pow(x, e)", NORMAL, {"e": np.int64([0, 1, 2, 3, -1])}),
    "inner product": ("y = MatMul(x, t)", NORMAL[0, 0], {"t": _drawn(5)}),
    "window behind the pads": (
        "y = MaxPool<ceil_mode=1, kernel_shape=[1, 1], strides=[2, 2]>(x)",
        PICTURE[..., :2, :2], {},
    ),
    "largest over three axes": (
        "y = MaxPool<kernel_shape=[2, 3, 2], pads=[0, 1, 0, 1, 1, 1], strides=[2, 1, 2]>(x)",
        CUBE, {},
    ),
    "mean over three axes": (
        "y = AveragePool<kernel_shape=[3, 2, 2], pads=[1, 0, 0, 1, 1, 1]>(x)", CUBE, {},
    ),
    "dilated over three axes": (
        "y = Conv<dilations=[2, 1, 2]>(x, w)", CUBE, {"w": _drawn(4, 2, 2, 3, 2)},
    ),
    "affine grid": ("y = AffineGrid(x, s)", _drawn(2, 2, 3), {"s": np.int64([2, 3, 4, 5])}),
    "empty part": (
        "a, b = Split<axis=2>(x, s) c = Neg(a) y = Concat<axis=2>(c, b)", NORMAL,
        {"s": np.int64([5, 0])},
    ),
    "resized axes": (
        'y = Resize<axes=[2, 3], mode="nearest", coordinate_transformation_mode="asymmetric",'
        ' nearest_mode="floor">(x, , f)', PICTURE, {"f": np.float32([2, 3])},
    ),
    "largest byte": (
        "p = MaxPool<kernel_shape=[2, 2]>(x) y = Cast<to=1>(p)",
        DRAW.integers(0, 256, (1, 2, 5, 6)).astype(np.uint8), {},
    ),
    "dropped": (
        "z, m = Dropout(x, r, t) a = Cast<to=1>(m) y = Add(z, a)", NORMAL,
        {"r": np.float32(0), "t": np.array(True)},
    ),
    "log probability": (
        "l, p = SoftmaxCrossEntropyLoss(x, t) y = Neg(p)", NORMAL, {"t": np.ones((3, 5), np.int64)},
    ),
    "wrapped": ("a = Cast<to=6>(x) b = Cast<to=4>(a) y = Cast<to=1>(b)", NORMAL, {}),
    "bitwise": (
        "a = Cast<to=6>(x) b = BitwiseXor(a, t) y = Cast<to=1>(b)", NORMAL,
        {"t": np.int32([1, -7, 3, 99, -12345])},
    ),
    "nearest": (
        'y = GridSample<mode="nearest", padding_mode="border">(x, g)', PICTURE,
        {"g": DRAW.uniform(-1.2, 1.2, (1, 3, 4, 2)).astype(np.float32)},
    ),
    "deformed": (
        "y = DeformConv(x, w, o)", PICTURE,
        {"w": _drawn(3, 2, 2, 2), "o": _drawn(1, 8, 4, 5)},
    ),
    "indices": (
        "p, i = MaxPool<kernel_shape=[2, 3], pads=[0, 1, 1, 1]>(x) y = Cast<to=1>(i)", PICTURE, {},
    ),
    "recurrent": (
        "y = LSTM<hidden_size=3>(x, w, r)", NORMAL, {"w": _drawn(1, 12, 5), "r": _drawn(1, 12, 3)},
    ),
}  # fmt: skip


def test_model_that_nothing_is_wrong_with_stays_itself():
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float[1,4] y) { y = Relu(x)}'
    )
    assert rewritten_for_mnn(model) is model


@pytest.mark.parametrize("case", CASES)
def test_file_is_right_where_mnn_is_not(tmp_path, case):
    text, value, constants = CASES[case]
    kind = {"float32": "float"}.get(value.dtype.name, value.dtype.name)
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 22]>'
        f"g ({kind}{list(value.shape)} x) => (float y) {{ {text} }}"
    )
    for name, array in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(np.array(array, order="C"), name))
    found, wanted = _converted(tmp_path, model, value)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_numbers_of_eight_bits_wrap_around(tmp_path):
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]>'
        "g (int8[256] x) => (int8[256] y) <int32 two = {2}>"
        "{ a = Cast<to=6>(x) b = Mul(a, two) y = Cast<to=3>(b) }"
    )
    found, wanted = _converted(tmp_path, model, np.arange(-128, 128).astype(np.int8))
    np.testing.assert_array_equal(found, wanted)


def _converted(folder, model, value):
    """(what the .mnn file gives, what ONNX Runtime does)."""
    wanted = run(model, {"x": value})["y"]
    (given,) = model.graph.output
    given.CopyFrom(onnx.helper.make_tensor_value_info("y", given.type.tensor_type.elem_type,
                                                      wanted.shape))  # fmt: skip
    onnx.save(infer_shapes(model), folder / "x.onnx")
    inputs = tuple(map(tensor_spec, model.graph.input))
    outputs = tuple(map(tensor_spec, model.graph.output))
    spec = ModelSpec(name="x", task="unknown", family=None, inputs=inputs, outputs=outputs)
    tiny = TinyModel(folder / "x.onnx", spec, (value,), {"y": wanted})
    job = dataclasses.replace(tiny.job(folder, "fp32"), output=folder / "x.mnn")
    converted = kept(MnnTarget).convert(job)
    runner = MnnTarget().open(job.output, converted.inputs, converted.outputs)
    try:
        return runner.run({"x": value})["y"], wanted
    finally:
        runner.close()
