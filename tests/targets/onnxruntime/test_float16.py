"""What becomes half precision, and what must not."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from mobileq.graph.trial_run import random_inputs, run
from mobileq.spec import ModelSpec, PreprocessSpec, TensorSpec
from mobileq.targets.onnxruntime.float16 import halved
from mobileq.targets.onnxruntime.magnitudes import largest_values

from ..tiny_models import weights
from .conversions import made_types, model_of

FLOAT, HALF = 1, 10
TAIL = """g (float[1,3,8,8] x) => (float[1,4,8,8] y) {
    a = Conv(x, w)
    r = Relu(a)
    b = Conv(r, v)
    s = Sigmoid(b)
    y = Mul(s, k)
}"""


def tail(k: float = 640.0) -> onnx.ModelProto:
    constants = {"w": weights(6, 3, 1, 1), "v": weights(4, 6, 1, 1)}
    return model_of(TAIL, **constants, k=np.array(k, np.float32))


def assert_close(model: onnx.ModelProto, found: onnx.ModelProto, rtol: float = 0.01) -> None:
    inputs = random_inputs(model, 1)
    wanted, given = run(model, inputs), run(found, inputs)
    for name, array in wanted.items():
        assert given[name].dtype == array.dtype
        np.testing.assert_allclose(given[name], array, rtol=rtol, atol=1e-3)


def test_what_comes_after_the_last_product_stays_float32():
    found = halved(tail(), {})
    types = made_types(found)
    assert {name: types[name] for name in ("a", "r", "b", "s", "y")} == {
        "a": HALF, "r": HALF, "b": HALF, "s": FLOAT, "y": FLOAT,
    }  # fmt: skip
    assert {each.name: each.data_type for each in found.graph.initializer} == {
        "w/float16": HALF, "v/float16": HALF, "k": FLOAT,
    }  # fmt: skip
    assert_close(tail(), found)


def test_an_output_that_is_read_inside_as_well_keeps_its_name_and_type():
    model = model_of(
        """g (float[1,3,8,8] x) => (float[1,6,8,8] a, float[1,4,8,8] b) {
            a = Conv(x, w)
            b = Conv(a, v)
        }""",
        w=weights(6, 3, 1, 1), v=weights(4, 6, 1, 1),
    )  # fmt: skip
    found = halved(model, {})
    types = made_types(found)
    assert (types["a"], types["a/float16"], types["b"]) == (FLOAT, HALF, FLOAT)
    assert_close(model, found)


def test_a_tensor_that_float32_ops_take_twice_is_cast_once():
    model = model_of(
        """g (float[1,3,8,8] x) => (float[1,3,8,8] y) {
            a = Conv(x, w)
            up = Resize<mode = "nearest">(a, , scales)
            m = Relu(a)
            c = CumSum(a, axis)
            d = CumSum(a, axis)
            s = Sum(a, m, c, d, up)
            y = Conv(s, w)
        }""",
        w=weights(3, 3, 1, 1), scales=np.ones(4, np.float32), axis=np.array(1),
    )  # fmt: skip
    found = halved(model, {})
    types = made_types(found)
    assert (types["a"], types["up"], types["c"], types["s"]) == (HALF, HALF, FLOAT, HALF)
    casts = [node for node in found.graph.node if node.input[0] == "a" and node.op_type == "Cast"]
    assert len(casts) == 1
    assert_close(model, found)


@pytest.mark.parametrize(
    ("value", "type_of_products"), [(1e5, FLOAT), (1e-9, FLOAT), (6e4, HALF), (-np.inf, HALF)]
)
def test_a_constant_that_half_precision_does_not_hold_keeps_its_op_float32(value, type_of_products):
    model = model_of(
        """g (float[1,3,8,8] x) => (float[1,3,8,8] y) {
            a = Max(x, k)
            y = Conv(a, w)
        }""",
        w=weights(3, 3, 1, 1), k=np.array(value, np.float32),
    )  # fmt: skip
    assert made_types(halved(model, {}))["a"] == type_of_products


def test_weights_that_are_all_small_stay_float32():
    model = tail()
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights(6, 3, 1, 1) * 1e-6, "w"))
    types = made_types(halved(model, {}))
    assert (types["a"], types["b"]) == (FLOAT, HALF)


def test_weights_that_vanish_one_by_one_are_no_reason():
    kernel = weights(3, 3, 1, 1)
    kernel[0, 0] = 1e-9
    model = model_of(
        """g (float[1,3,8,8] x) => (float[1,3,8,8] y) {
            a = Conv(x, w)
            y = Conv(a, w)
        }""",
        w=kernel,
    )  # fmt: skip
    assert made_types(halved(model, {}))["a"] == HALF


def test_ops_with_large_values_stay_float32():
    """On x86 an overflow would not show: there ONNX Runtime computes in float32."""
    model = model_of(
        """g (float[1,3,8,8] x) => (float[1,3,8,8] y) {
            a = Conv(x, w)
            b = Mul(a, k)
            c = Mul(b, b)
            d = Sqrt(c)
            y = Conv(d, w)
        }""",
        w=np.full((3, 3, 1, 1), 0.5, np.float32), k=np.array(100.0, np.float32),
    )  # fmt: skip
    spec = ModelSpec(
        name="m", task="unknown", family=None, outputs=(),
        inputs=(TensorSpec(name="x", shape=(1, 3, 8, 8), dtype="float32"),),
        preprocess=PreprocessSpec(width=8, height=8),
    )  # fmt: skip
    largest = largest_values(model, spec)
    assert 50 < largest["b"] < 150
    types = made_types(halved(model, largest))
    assert {name: types[name] for name in "abcd"} == {"a": HALF, "b": HALF, "c": FLOAT, "d": FLOAT}


def test_pixels_are_looked_at_in_the_range_that_the_model_takes():
    model = model_of(
        "g (float[1,3,8,8] x) => (float[1,3,8,8] y) { y = Conv(x, w) }", w=weights(3, 3, 1, 1)
    )
    inputs = (TensorSpec(name="x", shape=(1, 3, 8, 8), dtype="float32"),)
    seen = {}
    for factor in (1.0, 1 / 255):
        spec = ModelSpec(
            name="m", task="unknown", family=None, inputs=inputs, outputs=(),
            preprocess=PreprocessSpec(width=8, height=8, rescale_factor=factor),
        )  # fmt: skip
        seen[factor] = largest_values(model, spec)["x"]
    assert seen == {1.0: pytest.approx(255, abs=5), 1 / 255: pytest.approx(1, abs=0.02)}


def test_bodies_of_branches_stay_as_they_are():
    model = model_of(
        """g (float[1,3,8,8] x, bool c) => (float[1,3,8,8] y) {
            a = Conv(x, w)
            b = If (c) <
                then_branch = t () => (float[1,3,8,8] p) { p = Relu(a) },
                else_branch = e () => (float[1,3,8,8] q) { q = Mul(a, w2) }
            >
            y = Conv(b, w)
        }""",
        w=weights(3, 3, 1, 1), w2=np.array(2.0, np.float32),
    )  # fmt: skip
    found = halved(model, {})
    types = made_types(found)
    assert (types["a"], types["a/float16"], types["b"], types["b/float16"]) == (
        *(FLOAT, HALF, FLOAT, HALF),
    )
    assert_close(model, found)
