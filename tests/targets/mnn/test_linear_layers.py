"""Products by weights, which MNN makes convolutions of, in int8, and what stands beside them."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from mobileq.targets.mnn.outline import read_outline
from mobileq.targets.mnn.target import MnnTarget

from ..tiny import TinyFile, convert_once, make, sqnr_db
from ..tiny_models import MODELS, weights
from .conversions import made, outputs_of

GELU = """s = Div({0}, root2) e = Erf(s) g = Add(e, one) p = Mul({0}, g) t = Mul(p, half)"""
NORMALIZED = "LayerNormalization<axis = -1>({}, gamma, beta)"
BETWEEN = {
    "plain": ("t = Identity(h)", 24),
    "biased": ("t = Add(h, b)", 24),
    "relu": ("t = Relu(h)", 24),
    "biased, relu": ("a = Add(h, b) t = Relu(a)", 24),
    "leaky": ("t = LeakyRelu<alpha=0.1>(h)", 24),
    "sigmoid": ("s = Sigmoid(h) t = Mul(h, s)", 24),
    "gelu": (GELU.format("h"), 24),
    "biased, gelu": (f"a = Add(h, b) {GELU.format('a')}", 24),
    "normalized": (f"t = {NORMALIZED.format('h')}", 24),
    "softmax": ("t = Softmax(h)", 24),
    "sum of two": ("d = MatMul(x, v) t = Add(h, d)", 24),
    "sum with what was taken": ("d = MatMul(h, u) t = Add(h, d)", 24),
    "sum, normalized": (f"d = MatMul(x, v) a = Add(h, d) t = {NORMALIZED.format('a')}", 24),
    "joined": ("d = MatMul(x, v) t = Concat<axis=-1>(h, d)", 48),
    "joined tokens": ("d = MatMul(x, v) j = Concat<axis=1>(h, d) t = Identity(j)", 24),
    "halves": ("l, r = Split<axis=-1>(h, twelve) s = Sigmoid(l) t = Mul(r, s)", 12),
    "turned": ("a = Transpose<perm=[0,2,1]>(h) t = MatMul(a, tokens)", 9),
    "attention": (
        "k = MatMul(x, v) a = Transpose<perm=[0,2,1]>(k) l = MatMul(h, a) s = Softmax(l) "
        "m = MatMul(x, v2) t = MatMul(s, m)", 24,
    ),
    "picture": (
        "a = Transpose<perm=[0,2,1]>(h) p = Reshape(a, picture) c = Conv(p, k1) r = Relu(c) "
        "f = Reshape(r, flat) t = Transpose<perm=[0,2,1]>(f)", 24,
    ),
    "mean": ("t = ReduceMean<axes=[1], keepdims=1>(h)", 24),
}  # fmt: skip
CONSTANTS = {
    "w": weights(16, 24), "b": weights(24, seed=1), "v": weights(16, 24, seed=2),
    "v2": weights(16, 24, seed=3), "u": weights(24, 24, seed=4), "tokens": weights(12, 9, seed=5),
    "k1": weights(24, 24, 1, 1, seed=6), "gamma": 1 + weights(24), "beta": weights(24, seed=7),
    "root2": np.array(np.sqrt(2), np.float32), "one": np.array(1, np.float32),
    "half": np.array(0.5, np.float32), "twelve": np.array([12, 12]),
    "picture": np.array([1, 24, 3, 4]), "flat": np.array([1, 24, 12]),
}  # fmt: skip


@pytest.mark.parametrize("between", BETWEEN)
def test_what_lies_between_linear_layers_in_int8_is_right(monkeypatch, tmp_path, between):
    body, width = BETWEEN[between]
    tokens = {"joined tokens": 24, "turned": 24, "mean": 1}.get(between, 12)
    graph = f"""g (float[1,12,16] x) => (float[1,{tokens},8] y) {{
        h = MatMul(x, w)
        {body}
        y = MatMul(t, last)
    }}"""
    words = set(re.findall(r"\w+", graph))
    used = {name: value for name, value in CONSTANTS.items() if name in words}
    constants = {**used, "last": weights(width, 8, seed=8)}
    file = made(monkeypatch, tmp_path, graph, constants)
    assert sqnr_db(file.model.wanted["y"], outputs_of(file)["y"]) > 33
    assert set(read_outline(file.path).weight_types) == {"int8"}


def test_what_the_converter_puts_aside_is_not_in_the_current_folder(monkeypatch, tmp_path):
    # Two conversions at a time in one folder had each other's weights, or zeros.
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".__convert_external_data.bin").symlink_to("/dev/full")
    graph = """g (float[1,1280] x) => (float[1,1000] y) { y = Gemm<transB=1>(x, w, b) }"""
    constants = {"w": weights(1000, 1280), "b": weights(1000)}
    monkeypatch.setitem(MODELS, "large", (graph, constants))
    model = make("large", tmp_path)
    job = dataclasses.replace(model.job(tmp_path, "fp32"), output=tmp_path / "x.mnn")
    converted = convert_once(job, MnnTarget)  # in a process that starts in that folder
    found = outputs_of(TinyFile(model, job.output, converted))["y"]
    assert sqnr_db(model.wanted["y"], found) > 80
