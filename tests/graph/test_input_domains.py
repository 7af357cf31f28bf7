"""Whole inputs are drawn within what the nodes that take them can do with."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import parser

from mobileq.graph.input_domains import read_domains, within
from mobileq.graph.shapes import infer_shapes
from mobileq.graph.trial_run import random_inputs, run
from mobileq.spec import TensorSpec

HEADER = '<ir_version: 8, opset_import: ["": 17]>'


def model(text: str) -> onnx.ModelProto:
    return infer_shapes(parser.parse_model(HEADER + text))


def test_divisor_behind_a_cast_is_not_zero():
    text = "m (int8[40] a, int8[40] b) => (int32[40] y) {{ {} y = Div(c, d) }}".format(
        "c = Cast<to=6>(a) d = Cast<to=6>(b)"
    )
    feeds = random_inputs(model(text), 1)
    assert np.all(feeds["b"] > 0)
    assert not np.all(feeds["a"] > 0)
    assert run(model(text), feeds)["y"].dtype == np.int32


@pytest.mark.parametrize("moved", ["Flatten(b)", "Transpose(b)", "Squeeze(b)"])
def test_divisor_in_another_shape_or_order_is_not_zero(moved):
    text = f"m (int32[40,1] a, int32[1,40] b) => (int32 y) {{ c = {moved} y = Div(a, c) }}"
    feeds = random_inputs(model(text), 1)
    assert np.all(feeds["b"] > 0)
    assert not np.all(feeds["a"] > 0)


def test_whole_base_of_a_power_is_not_zero():
    text = "m (int64[40] a, float[40] b) => (int64[40] y) { y = Pow(a, b) }"
    assert np.all(random_inputs(model(text), 1)["a"] > 0)


def test_shift_is_narrower_than_its_type():
    text = 'm (uint8[90] a, uint8[90] b) => (uint8[90] y) { y = BitShift<direction="LEFT">(a, b) }'
    feeds = random_inputs(model(text), 1)
    assert feeds["b"].max() == 7
    assert feeds["a"].max() > 7


@pytest.mark.parametrize("axis", [0, -1])
def test_elements_are_put_at_places_of_their_own(axis):
    text = (
        "m (float[6,6] x, int64[4,5] i, float[4,5] u) => (float[6,6] y)"
        f"{{ y = ScatterElements<axis={axis}>(x, i, u) }}"
    )
    places = np.moveaxis(random_inputs(model(text), 1)["i"], axis, 0)
    assert places.max() == 5
    assert all(len(set(line)) == len(line) for line in places.reshape(len(places), -1).T)


def test_slices_are_put_at_places_of_their_own():
    text = (
        "m (float[3,4,2] x, int64[2,5,2] i, float[2,5,2] u) => (float[3,4,2] y)"
        "{ y = ScatterND(x, i, u) }"
    )
    places = random_inputs(model(text), 1)["i"].reshape(-1, 2)
    assert len({tuple(place) for place in places}) == 10
    assert places.max(axis=0).tolist() == [2, 3]


def test_added_elements_may_come_twice():
    text = (
        "m (float[3] x, int64[9] i, float[9] u) => (float[3] y)"
        '{ y = ScatterElements<axis=0, reduction="add">(x, i, u) }'
    )
    assert set(random_inputs(model(text), 1)["i"]) == {0, 1}


def test_indices_of_a_pooling_are_places_of_their_own(tmp_path):
    text = (
        "m (float[1,1,2,2] x, int64[1,1,2,2] i) => (float[1,1,4,4] y)"
        "{ y = MaxUnpool<kernel_shape=[2, 2], strides=[2, 2]>(x, i) }"
    )
    onnx.save(model(text), tmp_path / "a.onnx")
    inputs = [TensorSpec(name="i", shape=(1, 1, 2, 2), dtype="int64")]
    found = within(read_domains(tmp_path / "a.onnx"), inputs, np.random.default_rng(0))
    assert sorted(found["i"].ravel()) == [0, 1, 2, 3]


@pytest.mark.parametrize("text", ["Less(r, b)", "Greater(b, r)"])
def test_length_leaves_something_and_hides_something(text):
    body = f"""m (int64[40,1] b) => (bool[40,5] y)
    <int64[5] r = {{0, 1, 2, 3, 4}}> {{ y = {text} }}"""
    given = run(model(body), random_inputs(model(body), 1))["y"]
    assert np.all(given[:, 0])
    assert not np.any(given[:, -1])
    assert len(np.unique(given.sum(axis=1))) == 4


def test_mask_lets_something_through_in_each_row():
    drawn = random_inputs(model("m (bool[200,3] a) => (bool[200,3] y) { y = Not(a) }"), 1)["a"]
    assert np.all(drawn.any(axis=1) & ~drawn.all(axis=1))
    assert len(np.unique(drawn, axis=0)) == 4
    alone = random_inputs(model("m (bool[200,1] a) => (bool[200,1] y) { y = Not(a) }"), 1)["a"]
    assert len(np.unique(alone)) == 2
