from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from onnx import ModelProto

from mobileq.graph.hard_functions import rewrite_hard_functions
from mobileq.graph.outline import opset
from mobileq.graph.trial_run import random_inputs, run

from .builders import model_of

GATE = "g = HardSigmoid<alpha = 0.16666667, beta = 0.5>(x)"
PARTS = "a = Add(x, three) c = Clip(a, zero, six) p = Mul(x, c)"
HARD_SWISHES = {
    "as one operator": "y = HardSwish(x)",
    "by a gate": f"{GATE} y = Mul(x, g)",
    "by a gate, turned": f"{GATE} y = Mul(g, x)",
    "divided": f"{PARTS} y = Div(p, six)",
    "multiplied": f"{PARTS} y = Mul(sixth, p)",
}


def model(body: str, version: int = 17) -> ModelProto:
    numbers = {"zero": 0.0, "three": 3.0, "six": 6.0, "sixth": 1 / 6, "one": 1.0}
    weights = {name: np.array(value, np.float32) for name, value in numbers.items()}
    text = f"g (float[1,3,8,8] x) => (float[1,3,8,8] y) {{ {body} }}"
    return model_of(text, weights, opset=version)


def ops(found: ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in found.graph.node)


def assert_same(given: ModelProto, found: ModelProto) -> None:
    inputs = {name: 6 * array for name, array in random_inputs(given, 1).items()}
    wanted = run(given, inputs)["y"]
    np.testing.assert_allclose(run(found, inputs)["y"], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("way", HARD_SWISHES)
def test_every_way_to_write_a_hard_swish_becomes_one_operator(way: str) -> None:
    given = model(HARD_SWISHES[way])
    found = rewrite_hard_functions(given)
    assert ops(found) == {"HardSwish": 1}
    assert_same(given, found)


def test_opset_13_becomes_14_for_it() -> None:
    found = rewrite_hard_functions(model(HARD_SWISHES["divided"], 13))
    assert (ops(found), opset(found)) == ({"HardSwish": 1}, 14)
    assert opset(rewrite_hard_functions(model("y = Relu(x)", 13))) == 13


@pytest.mark.parametrize("version", [11, 12])
@pytest.mark.parametrize("way", ["by a gate", "divided", "multiplied"])
def test_older_opsets_become_newer_ones_for_it(way: str, version: int) -> None:
    """Paddle's exports of PicoDet and PP-OCR are of 11 and 12."""
    given = model(HARD_SWISHES[way], version)
    found = rewrite_hard_functions(given)
    assert (ops(found), opset(found)) == ({"HardSwish": 1}, 14)
    assert_same(given, found)
    split = model(f"{HARD_SWISHES[way]} p1, p2 = Split<axis = 3, split = [3, 5]>(y)", version)
    split.graph.output[0].name = "p1"
    assert ops(rewrite_hard_functions(split)) == {"HardSwish": 1, "Split": 1}
    without = model("a = Clip(x, zero, six) y = Relu(a)", version)
    assert opset(rewrite_hard_functions(without)) == version


@pytest.mark.parametrize("slope", ["", "<alpha = 0.16666667>", "<alpha = 0.25, beta = 0.4>"])
def test_hard_sigmoid_alone_is_spelt_out(slope: str) -> None:
    given = model(f"y = HardSigmoid{slope}(x)")
    found = rewrite_hard_functions(given)
    assert ops(found) == {"Add": 1, "Clip": 1, "Mul": 1 if "0.1666" in slope else 2}
    assert_same(given, found)


@pytest.mark.parametrize(
    "body",
    [
        "a = Add(x, three) c = Clip(a, zero, three) p = Mul(x, c) y = Div(p, six)",
        "a = Add(x, one) c = Clip(a, zero, six) p = Mul(x, c) y = Div(p, six)",
        f"{PARTS} y = Div(p, three)",
        f"{PARTS} y = Div(six, p)",
    ],
)
def test_what_only_looks_alike_stays(body: str) -> None:
    assert rewrite_hard_functions(model(body)) == model(body)
