"""Convolutions whose output channels become tensors of their own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto

from mobileq.graph.convolution_parts import Part, can_part, part_convolutions
from mobileq.graph.frontier import cut_at
from mobileq.graph.shapes import infer_shapes
from mobileq.graph.trial_run import random_inputs, run

from .builders import model_of

CHANNELS = 6
_DRAWN = np.random.default_rng(0)
_SHAPES = {"w": (CHANNELS, 4, 3, 3), "g": (CHANNELS, 2, 3, 3), "b": (CHANNELS,)}
CONSTANTS = {name: _DRAWN.normal(0, 1, shape).astype(np.float32) for name, shape in _SHAPES.items()}


def model(body: str) -> ModelProto:
    text = f"g (float[1,4,8,8] x) => (float[1,c,h,w] y) {{ {body} y = Relu(c) }}"
    return infer_shapes(model_of(text, CONSTANTS))


def parts_of(order: list[int], cuts: list[int]) -> list[Part]:
    pieces = np.split(np.array(order), sorted(set(cuts)))
    return [Part(f"p{at}", tuple(piece.tolist())) for at, piece in enumerate(pieces)]


@given(
    st.permutations(range(CHANNELS)),
    st.lists(st.integers(1, CHANNELS - 1), max_size=3),
    st.sampled_from(
        ["Conv(x, w)", "Conv(x, w, b)", "Conv<strides = [2, 1], pads = [1, 0, 1, 2]>(x, w, b)"]
    ),
)
def test_the_parts_are_the_channels_of_the_whole(
    order: list[int], cuts: list[int], convolution: str
) -> None:
    whole = model(f"c = {convolution}")
    before = whole.SerializeToString()
    parts = parts_of(order, cuts)
    assert can_part(whole, ["c"])
    apart = part_convolutions(whole, {"c": parts})
    assert whole.SerializeToString() == before
    inputs = random_inputs(whole, 1, signed=True)
    wanted = run(cut_at(whole, ["c"]), inputs)["c"]
    for name, actual in run(apart, inputs).items():
        np.testing.assert_allclose(actual, run(whole, inputs)[name], rtol=1e-5, atol=1e-5)
    found = run(cut_at(apart, [part.name for part in parts]), inputs)
    for part in parts:
        chosen = wanted[:, list(part.channels)]
        np.testing.assert_allclose(found[part.name], chosen, rtol=1e-5, atol=1e-5)


def test_only_what_is_cut_stays() -> None:
    parts = parts_of([1, 3, 5, 0, 2, 4], [3])
    cut = cut_at(part_convolutions(model("c = Conv(x, w, b)"), {"c": parts}), ["p0", "p1"])
    assert [node.op_type for node in cut.graph.node] == ["Conv", "Conv"]
    assert [list(tensor.dims) for tensor in cut.graph.initializer] == [[3, 4, 3, 3], [3]] * 2


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("c = Conv<group = 2>(x, g, b)", "c"),
        ("v = Identity(w) c = Conv(x, v)", "c"),
        ("c = Relu(x)", "c"),
        ("c = Conv(x, w)", "x"),
        ("c = Conv(x, w)", "nowhere"),
    ],
)
def test_other_ops_are_left_whole(body: str, name: str) -> None:
    assert not can_part(model(body), [name])
