"""Which function a tensor is for, and how much of its range that function needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import numpy_helper, parser

from mobileq.calibration.derivations import sigmoid
from mobileq.calibration.purposes import Purpose, attention_logits, purposes

VALUES = np.linspace(-12, 12, 97, dtype=np.float32)
ENDS = st.floats(0, 1e6, width=32)


def graph(body: str, outputs: str = "y", opset: int = 17) -> onnx.ModelProto:
    """From x through the convolution c to the outputs."""
    declared = ", ".join(f"float[1,4,8,8] {name}" for name in outputs.split())
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {opset}]>\n'
        f"g (float[1,3,8,8] x) => ({declared}) {{ c = Conv(x, w) {body} }}"
    )
    model.graph.initializer.append(numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32), "w"))
    return model


def silu(values: np.ndarray) -> np.ndarray:
    return values / (1 + np.exp(-values.astype(np.float64)))


def hard_swish(values: np.ndarray) -> np.ndarray:
    return values * np.clip(values / 6 + 0.5, 0, 1)


@pytest.mark.parametrize(
    ("body", "function"),
    [
        ("s = Sigmoid(c) y = Mul(c, s)", silu),
        ("s = Sigmoid(c) y = Mul(s, c)", silu),
        ("y = Sigmoid(c)", lambda v: 1 / (1 + np.exp(-v))),
        ("y = Tanh(c)", np.tanh),
        ("y = Relu(c)", lambda v: np.maximum(v, 0)),
        ("y = LeakyRelu<alpha = 0.1>(c)", lambda v: np.maximum(v, 0.1 * v)),
        ("low = Constant<value = float {0.0}>() high = Constant<value = float {6.0}>() "
         "y = Clip(c, low, high)", lambda v: np.clip(v, 0, 6)),
        ("h = HardSigmoid<alpha = 0.16666667, beta = 0.5>(c) y = Mul(c, h)", hard_swish),
        ("y = HardSwish(c)", hard_swish),
    ],
)  # fmt: skip
def test_function_of_an_activation(body: str, function: Callable[[np.ndarray], np.ndarray]) -> None:
    found = purposes(graph(body))
    assert not found["c"].keep_extremes
    assert found["c"].result == "y"
    np.testing.assert_allclose(found["c"].function(VALUES), function(VALUES), atol=1e-5)


@pytest.mark.parametrize(
    "body",
    [
        "y = Add(c, c)",
        "y = Softplus(c)",
        "y = Mul(c, c)",
        "r = Relu(c) t = Tanh(c) y = Add(r, t)",
        "r = Relu(c) y = Add(r, c)",
        # A SiLU, and one use more.
        "s = Sigmoid(c) m = Mul(c, s) y = Add(m, c)",
        # Its gate is used a second time.
        "s = Sigmoid(c) m = Mul(c, s) y = Add(m, s)",
        # The bounds are not constant.
        "r = ReduceMax<keepdims = 0>(c) y = Clip(c, , r)",
    ],
)
def test_tensor_that_is_used_otherwise_has_no_purpose(body: str) -> None:
    assert "c" not in purposes(graph(body))


_SCALED = "p = Conv<group = 4>(c, f, t) k = Clip(p, zero, six) y = Mul(c, k)"


def _with_factors(body: str, term: float = 3.0, least: float = 0.1) -> onnx.ModelProto:
    model = graph(body)
    factors = np.array([1, least, 10, 0.5]).reshape(4, 1, 1, 1)
    constants = {"f": factors, "t": np.full(4, term), "zero": 0.0, "six": 6.0}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value, np.float32), name)
        for name, value in constants.items()
    )
    return model


def test_hard_swish_of_scaled_channels_is_flat_where_it_is_in_all() -> None:
    found = purposes(_with_factors(_SCALED))["c"]
    assert found.result == "y"
    wanted = VALUES * np.clip(VALUES / 10 + 3, 0, 6)
    np.testing.assert_allclose(found.function(VALUES), wanted, atol=1e-5)
    assert found.sensible(-500, 500)[0] == pytest.approx(-30, abs=0.5)


@pytest.mark.parametrize(
    "model",
    [
        _with_factors(_SCALED, term=2.0),
        _with_factors(_SCALED, least=-0.1),
        _with_factors(_SCALED.replace("Mul(c, k)", "Mul(p, k)")),
        _with_factors(_SCALED.replace("Clip(p, zero, six)", "Clip(p, zero)")),
        _with_factors(_SCALED.replace("Mul(c, k)", "Mul(c, k) z = Relu(k)")),
        _with_factors(_SCALED.replace("Clip(p, zero, six)", "Sigmoid(p)")),
    ],
)
def test_other_products_of_scaled_channels_have_no_purpose(model: onnx.ModelProto) -> None:
    assert "c" not in purposes(model)


@pytest.mark.parametrize("body", ["y = Relu(c)", "s = Sigmoid(c) y = Mul(c, s)"])
def test_output_of_the_model_has_no_purpose(body: str) -> None:
    assert "c" not in purposes(graph(body, "y c"))


def test_gate_that_is_an_output_is_a_use_of_its_own() -> None:
    assert "c" not in purposes(graph("s = Sigmoid(c) y = Mul(c, s)", "y s"))


def test_logits_keep_their_extremes() -> None:
    found = purposes(graph("y = Identity(c)"), ["y"])
    assert found["y"].keep_extremes
    np.testing.assert_array_equal(found["y"].function(VALUES), sigmoid(VALUES))
    assert "c" not in found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("p = MatMul(c, c) y = Softmax(p)", {"p"}),
        ("p = MatMul(c, c) d = Div(p, scale) y = Softmax(d)", {"p", "d"}),
        # Not of two activations, of none, read elsewhere too, and turned round.
        ("p = MatMul(c, w) y = Softmax(p)", set()),
        ("y = Softmax(c)", set()),
        ("p = MatMul(c, c) s = Softmax(p) y = Add(s, p)", set()),
        ("p = MatMul(c, c) d = Mul(p, negative) y = Softmax(d)", set()),
    ],
)
def test_logits_of_attention_are_products_for_a_softmax_alone(body: str, found: set[str]) -> None:
    model = graph(body)
    for name, value in (("scale", 2.0), ("negative", -2.0)):
        model.graph.initializer.append(numpy_helper.from_array(np.float32(value), name))
    assert attention_logits(model) == found


FUNCTIONS = {
    "silu": silu,
    "sigmoid": sigmoid,
    "hard swish": hard_swish,
    "relu": lambda v: np.maximum(v, 0),
    "leaky": lambda v: np.maximum(v, 0.1 * v),
    "clip": lambda v: np.clip(v, -2, 3),
    "constant": np.zeros_like,
    "steps": np.floor,
}


@given(ENDS, ENDS, st.sampled_from(sorted(FUNCTIONS)))
def test_sensible_range_holds_zero_and_is_no_wider(low: float, high: float, name: str) -> None:
    with np.errstate(over="ignore"):
        start, stop = Purpose(FUNCTIONS[name]).sensible(-low, high)
    assert -low <= start <= 0.0 <= stop <= high


@given(st.floats(0, 300), st.floats(0, 300), st.sampled_from(sorted(FUNCTIONS)))
# The dip is as deep as what is allowed: below the first value by that much, the cut above it.
@example(2.0, 171.0, "hard swish")
def test_what_is_cut_off_hardly_changes_the_function(low: float, high: float, name: str) -> None:
    function = FUNCTIONS[name]
    start, stop = Purpose(function).sensible(-low, high)
    values = np.linspace(-low, high, 1001, dtype=np.float32)
    with np.errstate(over="ignore"):
        whole, cut = function(values), function(np.clip(values, start, stop))
    # 5 % for the bottom of a dip between two of the values that were searched.
    assert np.abs(whole - cut).max() <= np.ptp(whole) / 4096 * 1.05 + 1e-6


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("silu", -12, -7), ("sigmoid", -10, -7), ("hard swish", -3.1, -2.9), ("relu", 0, 0),
     ("leaky", -50, -49.9), ("clip", -2.1, -1.9)],
)  # fmt: skip
def test_lower_end_is_where_the_function_gets_flat(name: str, least: float, most: float) -> None:
    assert least <= Purpose(FUNCTIONS[name]).sensible(-50.0, 20.0)[0] <= most


def test_upper_end_is_where_the_function_gets_flat() -> None:
    assert 7 <= Purpose(sigmoid).sensible(-20.0, 50.0)[1] <= 10
    assert Purpose(silu).sensible(-20.0, 50.0)[1] == 50.0


def test_range_within_the_flat_part_is_not_lost() -> None:
    assert Purpose(FUNCTIONS["relu"]).sensible(-5.0, 0.0) == (0.0, 0.0)
    assert Purpose(FUNCTIONS["clip"]).sensible(0.0, 1.5) == (0.0, 1.5)
