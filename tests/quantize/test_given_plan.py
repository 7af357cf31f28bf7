from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper, parser

from mobileq.errors import UsageError
from mobileq.graph.given_quantization import GivenQuantization
from mobileq.quantize.given_plan import given_plan
from mobileq.spec import QuantParams, TensorRange

RANGE = TensorRange(min=-1.0, max=1.55)
SCALE = QuantParams(scale=(0.1,), zero_point=(0,))


@pytest.fixture
def model() -> ModelProto:
    made = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,4,8,8] x) => (float[1,4,8,8] y) {
            a = Conv(x, v)
            b = Conv(a, w)
            s = Sigmoid(b)
            c = Mul(b, s)
            d = Tanh(c)
            y = Conv(d, v)
        }"""
    )
    for name in ("v", "w"):
        weights = np.random.default_rng(0).normal(size=(4, 4, 3, 3)).astype(np.float32)
        made.graph.initializer.append(numpy_helper.from_array(weights, name))
    return made


def given(*ranged: str, unquantized: tuple[str, ...] = ()) -> GivenQuantization:
    return GivenQuantization(
        ranges=dict.fromkeys(ranged, RANGE),
        constants=dict.fromkeys(("v", "w"), SCALE),
        unquantized=unquantized,
    )


def test_ranges_are_the_models_own(model: ModelProto):
    found = given("x", "a", "b", "s", "c", "d", "y")
    plan = given_plan(model, found, ())
    assert plan.calibrator == "model"
    assert plan.ranges == found.ranges
    assert plan.keep_float == ()


def test_ops_without_a_scale_and_those_asked_for_stay_float(model: ModelProto):
    plan = given_plan(model, given("x", "a", "c", "y"), ("^a$",))
    assert plan.keep_float == ("a", "d", "y")
    assert {"b", "s"} <= set(plan.ranges)


def test_convolutions_with_float_weights_stay_float(model: ModelProto):
    found = given("x", "a", "c", "d", "y", unquantized=("b",))
    plan = given_plan(model, found, ())
    assert plan.keep_float == ("c",)
    assert plan.float_tensors == ("b", "s", "c")


def test_a_pattern_that_matches_nothing_is_refused(model: ModelProto):
    with pytest.raises(UsageError, match="matches no op's output"):
        given_plan(model, given("x"), ("nothing",))
