"""Which sums of a graph make up the residual stream of a transformer, and which do not."""

from __future__ import annotations

import pytest
from onnx import parser

from mobileq.quantize.residual import residual_sums

NORMALIZED = "LayerNormalization<axis = -1>({}, gamma, beta)"
IN_PIECES = """ReduceMean<axes = [-1]>({0})
    centred_{1} = Sub({0}, {1})
    squared_{1} = Mul(centred_{1}, centred_{1})"""
ROOT_MEAN_SQUARE = """Pow({0}, two)
    mean_{1} = ReduceMean<axes = [-1]>({1})"""


def _sums(body: str) -> frozenset[str]:
    model = parser.parse_model(
        f"""<ir_version: 10, opset_import: ["" : 23]>
        g (float[1,4,8] x, float[8] gamma, float[8] beta, float two, float[8,8] w, int64[2] shape)
        => (float[1,4,8] y) {{ {body} }}"""
    )
    return residual_sums(model.graph)


@pytest.mark.parametrize(
    "normalization",
    [NORMALIZED, "RMSNormalization({}, gamma)", IN_PIECES, ROOT_MEAN_SQUARE],
    ids=["whole", "root mean square", "in pieces", "root mean square in pieces"],
)
def test_sums_that_are_normalized_and_added_to_are_a_stream(normalization: str) -> None:
    body = f"""
        tokens = Add(x, beta)
        n = {normalization.format("tokens", "n")}
        f = MatMul(n, w)
        middle = Add(tokens, f)
        m = {normalization.format("middle", "m")}
        g = MatMul(m, w)
        biased = Add(g, beta)
        last = Add(biased, middle)
        y = MatMul(last, w)
    """
    assert _sums(body) == {"tokens", "middle", "last"}


def test_a_stream_is_followed_through_ops_that_only_rearrange_it() -> None:
    first, second = NORMALIZED.format("flat"), NORMALIZED.format("second")
    body = f"""
        sum = Add(x, beta)
        flat = Reshape(sum, shape)
        n = {first}
        f = MatMul(n, w)
        unflat = Transpose(flat)
        second = Add(f, unflat)
        y = {second}
    """
    assert _sums(body) == {"sum", "second"}


def test_sums_that_are_normalized_before_they_are_added_to_are_none() -> None:
    """As of a DETR's decoder: what is added to has been normalized, and has no large channels."""
    first, second = NORMALIZED.format("sum"), NORMALIZED.format("next")
    body = f"""
        f = MatMul(x, w)
        sum = Add(x, f)
        n = {first}
        g = MatMul(n, w)
        next = Add(n, g)
        y = {second}
    """
    assert not _sums(body)


def test_residual_blocks_of_convolutions_are_none() -> None:
    body = """
        c = Conv(x, w)
        sum = Add(x, c)
        d = Conv(sum, w)
        mean = ReduceMean<axes = [-1]>(sum)
        y = Add(sum, d)
    """
    assert not _sums(body)
