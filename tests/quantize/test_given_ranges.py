from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, parser

from mobileq.graph.eight_bits import affine
from mobileq.quantize.given_ranges import ranges_between
from mobileq.spec import TensorRange


def model(body: str) -> ModelProto:
    return parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]>'
        f"g (float[1,4,8,8] x, float[1,4,8,8] u) => (float[1,4,8,8] y) {{ {body} y = Neg(o) }}"
    )


def codes(values: np.ndarray, found: TensorRange) -> np.ndarray:
    scale, zero = affine(found)
    return np.clip(np.round(values / scale) + zero, 0, 255)


KNOWN = {"o": TensorRange(min=-0.32, max=5.2), "u": TensorRange(min=-1.0, max=2.0)}
GATES = {
    "s = Sigmoid(t) o = Mul(t, s)": lambda x: x / (1 + np.exp(-x)),
    "s = HardSigmoid<alpha=0.16666667>(t) o = Mul(s, t)": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "o = HardSwish(t)": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
}


@pytest.mark.parametrize("body", GATES)
@given(low=st.floats(-1.0, 0.0), high=st.floats(0.01, 200.0))
def test_what_the_pair_behind_can_tell_apart_is_inside(body: str, low: float, high: float):
    """Cutting off at the range changes no code of the result by more than rounding does."""
    result = TensorRange(min=low, max=high)
    found = ranges_between(model(f"t = Relu(x) {body}"), {"o": result})["t"]
    values = np.linspace(-20, high + 5, 4001)
    function = GATES[body]
    wanted = codes(function(values), result)
    cut = codes(function(np.clip(values, found.min, found.max)), result)
    assert np.abs(wanted - cut).max() <= 1
    assert function(np.float64(found.max)) == pytest.approx(high, rel=1e-6)
    assert found.min <= 0


def test_lower_end_is_where_results_round_to_zero():
    found = ranges_between(model("t = Relu(x) s = Sigmoid(t) o = Mul(t, s)"), KNOWN)["t"]
    half_step = 5.52 / 255 / 2
    assert found.min / (1 + math.exp(-found.min)) == pytest.approx(-half_step, rel=1e-6)
    assert found.min < -1.28


def test_sigmoid_of_a_pair_gets_the_range_its_kernel_has():
    found = ranges_between(model("t = Relu(x) s = Sigmoid(t) o = Mul(t, s)"), KNOWN)
    assert found["s"] == TensorRange(min=0.0, max=255 / 256)


@pytest.mark.parametrize(
    "body",
    [
        "o = Relu(t)",
        "o = Clip(t)",
        "o = Concat<axis=1>(t, u)",
        "o = MaxPool<kernel_shape=[1,1]>(t)",
    ],
)
def test_same_range_before_what_only_cuts_or_moves(body: str):
    assert ranges_between(model(f"t = Neg(x) {body}"), KNOWN)["t"] == KNOWN["o"]


def test_range_goes_along_with_what_only_moves_values():
    found = ranges_between(model("t = Transpose(u) o = Neg(t)"), {"u": KNOWN["u"]})
    assert found == {"t": KNOWN["u"]}


def test_addition_tells_of_one_side_what_the_other_leaves():
    found = ranges_between(model("t = Neg(x) o = Add(t, u)"), KNOWN)
    assert found["t"].min == pytest.approx(-0.32 - 2.0)
    assert found["t"].max == pytest.approx(5.2 + 1.0)


def test_addition_of_a_constant_tells_of_the_product_before_it():
    body = "k = Constant<value = float[2] {0.5, -3.0}>() t = Neg(x) o = Add(k, t)"
    found = ranges_between(model(body), KNOWN)
    assert found["t"] == TensorRange(min=KNOWN["o"].min - 0.5, max=KNOWN["o"].max + 3.0)


def test_widest_of_two_readers_is_taken():
    body = "t = Neg(x) a = Relu(t) b = Clip(t) o = Add(a, b)"
    known = {"a": TensorRange(min=0, max=3), "b": TensorRange(min=-2, max=1)}
    assert ranges_between(model(body), known)["t"] == TensorRange(min=-2, max=3)


@pytest.mark.parametrize("body", ["o = LeakyRelu(t)", "a = Relu(t) b = Exp(t) o = Add(a, b)"])
def test_no_range_where_a_reader_cannot_tell(body: str):
    found = ranges_between(model(f"t = Neg(x) {body}"), {**KNOWN, "a": KNOWN["u"]})
    assert "t" not in found


def test_excluded_and_known_tensors_are_left_alone():
    body = "t = Neg(x) v = Relu(t) o = Relu(v)"
    known = {**KNOWN, "v": KNOWN["u"]}
    assert ranges_between(model(body), known) == {"t": KNOWN["u"]}
    assert ranges_between(model(body), known, {"t"}) == {}


def test_what_is_padded_lies_within_the_range_of_the_result():
    found = ranges_between(model("p = Constant<value_ints=[0,0,1,1,0,0,1,1]>() t = Neg(x)"
                                 " o = Pad(t, p)"), KNOWN)  # fmt: skip
    assert found["t"] == KNOWN["o"]


def test_what_is_averaged_may_lie_beyond_the_range_of_the_result():
    found = ranges_between(model("t = Neg(x) o = AveragePool<kernel_shape=[2,2]>(t)"), KNOWN)
    assert "t" not in found
