from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from mobileq.graph.eight_bits import affine, channel_axis, holding_bias
from mobileq.spec import TensorRange


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero"),
    [(0.0, 255.0, 1.0, 0), (-1.0, 1.0, 2 / 255, 128), (2.0, 51.0, 0.2, 0), (-51.0, -2.0, 0.2, 255)],
)
def test_affine_holds_zero_exactly(low: float, high: float, scale: float, zero: int) -> None:
    assert affine(TensorRange(min=low, max=high)) == (pytest.approx(scale), zero)


@pytest.mark.parametrize(
    ("op", "rank", "more", "axis"),
    [
        ("Conv", 4, {}, 0),
        ("ConvTranspose", 4, {}, 1),
        ("Gemm", 2, {}, 1),
        ("Gemm", 2, {"transB": 1}, 0),
        ("MatMul", 2, {}, 1),
        ("MatMul", 3, {}, 2),
    ],
)
def test_channel_axis_counts_output_channels(op: str, rank: int, more, axis: int) -> None:
    assert channel_axis(helper.make_node(op, ["x", "w"], ["y"], **more), rank) == axis


def test_scales_are_larger_where_the_bias_needs_it() -> None:
    found = holding_bias(np.array([1e-12, 0.01]), np.array([-4.6, 4.6]), 0.1)
    assert found[1] == 0.01
    assert abs(-4.6 / (found[0] * 0.1)) == pytest.approx(2**30)
