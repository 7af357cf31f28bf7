"""Why a file can't be all integer: the ONNX model's op, and what TFLite lacks for it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mobileq.errors import VerificationError
from mobileq.targets.tflite import counting, flatbuffer

from ..tiny import TinyFile, kept, make, sqnr_db
from ..tiny_models import MODELS, weights


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("numbered", r"mobileq has no integers for CAST, a part of Cast "),
        ("cosine", r"mobileq has no integers for COS, a part of Cos "),
        ("rim", r"ADD, a part of Add .*, takes values without bounds"),
        ("inverse_sigmoid", r"DIV, a part of Div .*, divides by values near 0"),
    ],
)
def test_the_onnx_op_and_the_reason_are_told(tiny, tmp_path, name, reason):
    with pytest.raises(VerificationError, match=f"can't be all integer: {reason}"):
        kept().convert(tiny(name).job(tmp_path, "int8-full", "int8"))


def test_a_range_that_is_not_known_is_the_reason(tiny, tmp_path):
    job = tiny("cosine").job(tmp_path, "int8-full", "int8")
    known = {name: found for name, found in job.ranges.items() if name != "h"}
    with pytest.raises(
        VerificationError, match=r"COS, .*, takes or gives values of which no range"
    ):
        kept().convert(dataclasses.replace(job, ranges=known))


COMPARED = """g (float[1,3,8,8] x) => (float[1,4,6,6] y) {
    c = Conv(x, w)
    m = Greater(c, half)
    k = Cast<to=1>(m)
    y = Mul(c, k)
}"""
CONSTANT = (
    "g (float[1,3,8,8] x) => (float[1,4,6,6] y, float[2] k) { y = Conv(x, w) k = Identity(two) }"
)


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (
            COMPARED,
            r"made can't be all integer: mobileq has no integers for GREATER, a part of",
        ),
        (CONSTANT, r"The file can't be all integer: '.*' is float32 in it"),
    ],
)
def test_floats_that_are_taken_or_stored_are_told(monkeypatch, tmp_path, graph, reason):
    constants = {"w": weights(4, 3, 3, 3), "half": np.float32(0.5), "two": np.float32([1, 2])}
    monkeypatch.setitem(MODELS, "made", (graph, constants))
    with pytest.raises(VerificationError, match=reason):
        kept().convert(make("made", tmp_path).job(tmp_path, "int8-full", "int8"))


@pytest.mark.parametrize("function", ["Softmax", "Sigmoid", "Tanh"])
def test_functions_of_a_fixed_scale_keep_it_before_a_concatenation(monkeypatch, tmp_path, function):
    """Heads join scores and boxes; TFLite's kernels of these refuse any other scale."""
    graph = f"""g (float[1,3,8,8] x) => (float[1,72,4] y) {{
        c = Conv(x, w) t = Transpose<perm=[0,2,3,1]>(c) r = Reshape(t, rows)
        s = {function}(r) y = Concat<axis=1>(r, s)
    }}"""
    constants = {"w": weights(4, 3, 3, 3), "rows": np.int64([1, 36, 4])}
    monkeypatch.setitem(MODELS, "made", (graph, constants))
    model = make("made", tmp_path)
    job = model.job(tmp_path, "int8-full", "int8")
    converted = kept().convert(job)
    assert counting.float_ops(flatbuffer.read_model(job.output)) == ()
    found = TinyFile(model, job.output, converted).run()
    assert sqnr_db(model.wanted["y"], found["y"]) > 30


def test_squeezed_channels_are_integers_where_they_come_last(monkeypatch, tmp_path):
    """onnx2tf 2.6.9 gives the product as `m__to_nhwc` alone, and its report calls it missing."""
    graph = """g (float[1,3,8,8] x) => (float[1,5,6,6] y) {
        h = Conv(x, w) p = GlobalAveragePool(h) q = Conv(p, a) r = Relu(q) s = Conv(r, b)
        t = Add(s, three) u = Clip(t, zero, six) v = Mul(u, sixth)
        m = Mul(h, v) y = Conv(m, d)
    }"""
    shapes = {"w": (4, 3, 3, 3), "a": (2, 4, 1, 1), "b": (4, 2, 1, 1), "d": (5, 4, 1, 1)}
    numbers = {"three": [3.0], "sixth": [1 / 6], "zero": 0.0, "six": 6.0}
    constants = {name: weights(*shape) for name, shape in shapes.items()}
    constants |= {name: np.float32(number) for name, number in numbers.items()}
    monkeypatch.setitem(MODELS, "made", (graph, constants))
    job = make("made", tmp_path).job(tmp_path, "int8-full", "int8")
    kept().convert(job)
    assert counting.float_ops(flatbuffer.read_model(job.output)) == ()


def test_transposed_convolutions_are_integer_with_their_bias(convert):
    file = convert("upward", "int8-full", "int8")
    model = flatbuffer.read_model(file.path)
    assert counting.float_ops(model) == ()
    assert sqnr_db(file.model.wanted["y"], file.run()["y"]) > 30


def test_what_a_bias_lifts_above_zero_is_not_cut_off_before_it(monkeypatch, tmp_path):
    """A transposed convolution's bias is added by an op of its own, which has the ReLU in it."""
    graph = """g (float[1,3,8,8] x) => (float[1,5,16,16] y) {
        u = ConvTranspose<strides=[2,2], kernel_shape=[2,2]>(x, w, b) r = Relu(u) y = Conv(r, d)
    }"""
    constants = {"w": weights(3, 4, 2, 2), "b": np.full(4, 2, np.float32), "d": weights(5, 4, 1, 1)}
    monkeypatch.setitem(MODELS, "made", (graph, constants))
    model = make("made", tmp_path)
    job = model.job(tmp_path, "int8-full", "int8")
    converted = kept().convert(job)
    found = TinyFile(model, job.output, converted).run()
    assert sqnr_db(model.wanted["y"], found["y"]) > 30


@pytest.mark.parametrize(
    ("name", "least_db"),
    [("normed", 38), ("tokens", 30), ("loud", 30), ("choices", 40), ("block", 30)],
)
def test_what_transformers_are_made_of_is_all_integer(convert, name, least_db):
    file = convert(name, "int8-full", "int8")
    assert counting.float_ops(flatbuffer.read_model(file.path)) == ()
    found = file.run()
    for key, wanted in file.model.wanted.items():
        assert sqnr_db(wanted, found[key]) > least_db


def test_int8_keeps_normalizations_in_float(convert):
    model = flatbuffer.read_model(convert("tokens", "int8").path)
    counted = counting.typed_op_counts(model)
    assert {kind for kind in counted if kind.startswith(("MEAN", "SUB", "RSQRT"))} == {
        "MEAN float32", "SUB float32", "RSQRT float32",
    }  # fmt: skip
    assert counted["FULLY_CONNECTED int8"] == 2
