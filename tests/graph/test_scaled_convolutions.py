"""Factors and terms that a convolution takes in, and those that it can't."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto

from mobileq.graph.outline import op_counts
from mobileq.graph.scaled_convolutions import fold_scales
from mobileq.graph.shapes import infer_shapes
from mobileq.graph.trial_run import random_inputs, run

from .builders import model_of

_DRAWN = np.random.default_rng(0)
CONSTANTS = {
    "w": (4, 3, 3, 3), "v": (6, 4, 1, 1), "g": (8, 2, 1, 1), "b": (4,),
    "number": (1,), "channel": (1, 4, 1, 1), "channels": (4, 1, 1), "place": (1, 1, 1, 6),
    "wide": (1, 1, 4, 1, 1),
}  # fmt: skip


def model(body: str, result: str = "y", channels: int = 4) -> ModelProto:
    constants = {
        name: _DRAWN.normal(0, 1, shape).astype(np.float32) for name, shape in CONSTANTS.items()
    }
    rank = "1,1," if "wide" in body else "1,"
    text = f"g (float[1,3,8,8] x) => (float[{rank}{channels},6,6] {result}) {{ {body} }}"
    return infer_shapes(model_of(text, constants))


def folded(given: ModelProto) -> dict[str, int]:
    """Its operators, when it has been found to give the same."""
    found = fold_scales(given)
    inputs = random_inputs(given, 1, signed=True)
    for name, wanted in run(given, inputs).items():
        np.testing.assert_allclose(run(found, inputs)[name], wanted, rtol=1e-3, atol=1e-4)
    assert len(found.graph.initializer) <= len(given.graph.initializer) + 2
    return op_counts(found)


@pytest.mark.parametrize("value", ["number", "channel", "channels"])
@pytest.mark.parametrize(
    "step", ["Mul(c, {})", "Mul({}, c)", "Div(c, {})", "Add({}, c)", "Sub(c, {})"]
)
@pytest.mark.parametrize("convolution", ["Conv(x, w)", "Conv(x, w, b)"])
def test_what_stands_behind_is_taken_in(convolution: str, step: str, value: str) -> None:
    body = f"c = {convolution} y = {step.format(value)}"
    assert folded(model(body)) == {"Conv": 1}


def test_factor_and_term_are_taken_in_one_after_the_other() -> None:
    body = "c = Conv(x, w, b) d = Mul(c, channel) y = Add(d, number)"
    assert folded(model(body)) == {"Conv": 1}


@pytest.mark.parametrize("value", ["number", "channel"])
@pytest.mark.parametrize("weights", ["v", "g"])
def test_what_stands_in_front_is_taken_in(weights: str, value: str) -> None:
    channels, group = (6, 1) if weights == "v" else (8, 2)
    body = f"""c = Conv(x, w) r = Relu(c) m = Mul(r, {value}) a = Sub(m, {value})
        y = Conv<group = {group}>(a, {weights})"""
    assert folded(model(body, channels=channels)) == {"Conv": 2, "Relu": 1}


def test_terms_in_front_of_padding_stay_and_factors_do_not() -> None:
    shared = "c = Conv(x, w) r = Relu(c)"
    padded = "y = Conv<pads = [1, 1, 1, 1], strides = [1, 1], kernel_shape = [3, 3], group = 4>"
    weights = "k = Constant<value = float[4,1,3,3] {" + ", ".join(["0.5"] * 36) + "}>()"
    term = model(f"{weights} {shared} a = Add(r, number) {padded}(a, k)")
    assert folded(term)["Add"] == 1
    factor = model(f"{weights} {shared} a = Mul(r, number) {padded}(a, k)")
    assert "Mul" not in folded(factor)


@pytest.mark.parametrize(
    "body",
    [
        "c = Conv(x, w) y = Mul(c, place)",
        "c = Conv(x, w) y = Mul(c, wide)",
        "c = Conv(x, w) y = Div(number, c)",
        "c = Conv(x, w) y = Sub(number, c)",
        "c = Conv(x, w) y = Mul(c, c)",
        "c = Conv(x, w) m = Mul(c, number) y = Add(m, c)",
        "c = Conv(x, w) a = Add(c, number) y = Clip(a)",
    ],
)
def test_others_stay(body: str) -> None:
    given = model(body)
    assert fold_scales(given) is given


def test_a_convolution_that_is_an_output_itself_stays() -> None:
    given = model("c = Conv(x, w) y = Mul(c, number)")
    given.graph.output.add().CopyFrom(given.graph.output[0])
    given.graph.output[1].name = "c"
    assert fold_scales(given) is given


def test_weights_of_two_convolutions_are_changed_for_one() -> None:
    body = "c = Conv(x, w) m = Mul(c, number) d = Conv(x, w) y = Add(m, d)"
    assert folded(model(body)) == {"Add": 1, "Conv": 2}


def test_one_channel_that_becomes_many_stays() -> None:
    body = "c = Conv(x, w) r = ReduceMax<axes = [1]>(c) m = Mul(r, channel) y = Conv(m, v)"
    given = model(body, channels=6)
    assert fold_scales(given) is given
