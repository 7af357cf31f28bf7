"""Zeros around max poolings, in files that are run with all of ONNX Runtime's optimizers."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest

from mobileq.targets.onnxruntime.padding import keep_zeros

from ..tiny import TinyFile, make
from ..tiny_models import MODELS, weights
from .conversions import model_of, outputs_of

POOLED = "y = MaxPool<kernel_shape=[3,3], strides=[1,1]>(p)"
PADS = np.array([0, 0, 1, 1, 0, 0, 1, 1])
NEGATIVE = f"""g (float[1,3,8,8] x) => (float[1,4,8,8] y) {{
    c = Conv(x, w)
    n = Neg(c)
    r = Relu(n)
    s = Neg(r)
    p = Pad(s, pads)
    {POOLED}
}}"""


@pytest.mark.parametrize("precision", ["fp32", "fp16", "dynamic", "int8"])
def test_they_stay_zeros(target, monkeypatch, tmp_path, precision):
    monkeypatch.setitem(MODELS, "padded", (NEGATIVE, {"w": weights(4, 3, 1, 1), "pads": PADS}))
    model = make("padded", tmp_path)
    job = dataclasses.replace(model.job(tmp_path, precision), output=tmp_path / "x.onnx")
    file = TinyFile(model, job.output, target.convert(job))
    np.testing.assert_allclose(outputs_of(file)["y"], model.wanted["y"], atol=0.03)


@pytest.mark.parametrize("opset", [10, 11, 13, 17])
@pytest.mark.parametrize("kind", ["float", "float16", "double"])
@pytest.mark.parametrize("value", ["", "v"])
def test_they_do_in_every_form(opset, kind, value):
    numpy_kind = {"float": np.float32, "float16": np.float16, "double": np.float64}[kind]
    as_inputs = {"pads": PADS, **({"v": np.zeros((), numpy_kind)} if value else {})}
    given = f"p = Pad(n, pads{', v' if value else ''})"
    if opset < 11:
        as_inputs, given = {}, "p = Pad<pads=[0,0,1,1,0,0,1,1]>(n)"
    model = model_of(
        f"g ({kind}[1,1,4,4] x) => ({kind}[1,1,4,4] y) {{ n = Neg(x) {given} {POOLED} }}",
        opset,
        **as_inputs,
    )
    keep_zeros(model)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (found,) = session.run(None, {"x": np.ones((1, 1, 4, 4), numpy_kind)})
    wanted = np.zeros((4, 4))
    wanted[1:3, 1:3] = -1
    np.testing.assert_allclose(found[0, 0], wanted, atol=1e-7)


@pytest.mark.parametrize(
    "graph",
    [
        f"n = Relu(x) p = Pad(n, pads) {POOLED}",
        f"n = Neg(x) p = Pad(n, pads, v) {POOLED}",
        f'n = Neg(x) p = Pad<mode="edge">(n, pads) {POOLED}',
        "n = Neg(x) p = Pad(n, pads) y = AveragePool<kernel_shape=[3,3]>(p)",
    ],
)
def test_others_are_left_alone(graph):
    model = model_of(
        f"g (float[1,1,4,4] x) => (float[1,1,4,4] y) {{ {graph} }}",
        pads=PADS,
        v=np.array(-9, np.float32),
    )
    before = model.SerializeToString(deterministic=True)
    keep_zeros(model)
    assert model.SerializeToString(deterministic=True) == before
