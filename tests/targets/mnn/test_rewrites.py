"""What MNN gets wrong is right in its file: run on values at which it was seen to be wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from mobileq.spec import ModelSpec
from mobileq.targets.mnn.rewrites import rewritten_for_mnn
from mobileq.targets.mnn.target import MnnTarget
from mobileq.targets.onnxruntime.runner import OnnxRuntimeRunner

from ..tiny import TinyModel, convert_once
from ..tiny import _tensor as tensor_spec

DRAW = np.random.default_rng(0)
NORMAL = DRAW.normal(0, 2, (3, 4, 5)).astype(np.float32)
HALVES = np.arange(-7.5, 7.5, 0.25, np.float32).reshape(3, 4, 5)
CASES = {
    # rule: (the op, what x is, constants)
    "less": ("b = Less(x, t) y = Cast<to=1>(b)", NORMAL, {"t": NORMAL[::-1]}),
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
}  # fmt: skip


def test_model_that_nothing_is_wrong_with_stays_itself():
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float[1,4] y) { y = Relu(x)}'
    )
    assert rewritten_for_mnn(model) is model


@pytest.mark.parametrize("case", CASES)
def test_file_is_right_where_mnn_is_not(tmp_path, case):
    text, value, constants = CASES[case]
    given = {"gemm": [5, 5], "pool_strides": [3, 4, 4]}.get(case, list(value.shape))
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 21]>'
        f"g (float{list(value.shape)} x) => (float{given} y) {{ {text} }}"
    )
    for name, array in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
    model = onnx.shape_inference.infer_shapes(model)
    onnx.save(model, tmp_path / "x.onnx")
    inputs = tuple(map(tensor_spec, model.graph.input))
    outputs = tuple(map(tensor_spec, model.graph.output))
    spec = ModelSpec(name="x", task="unknown", family=None, inputs=inputs, outputs=outputs)
    wanted = OnnxRuntimeRunner(tmp_path / "x.onnx", inputs, outputs).run({"x": value})["y"]
    tiny = TinyModel(tmp_path / "x.onnx", spec, (value,), {"y": wanted})
    job = dataclasses.replace(tiny.job(tmp_path, "fp32"), output=tmp_path / "x.mnn")
    converted = convert_once(job, MnnTarget)
    runner = MnnTarget().open(job.output, converted.inputs, converted.outputs)
    try:
        found = runner.run({"x": value})["y"]
    finally:
        runner.close()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
