import numpy as np
import pytest

from mobileq.graph.rewrites.grouped_conv1d import RULE, over_two_axes
from mobileq.graph.rewrites.rule import Rule
from tests.graph.rewrites.rewriting import refusal, rewritten, signed

_WEIGHTS = ", ".join(f"{value:.3f}" for value in np.linspace(-1, 1, 6 * 2 * 3))


def test_groups_are_of_two_axes():
    text = f"""m (float[2,4,9] x) => (float[?,?,?] y) <float[6,2,3] w = {{{_WEIGHTS}}}>
        {{ y = Conv<group=2, pads=[1,0], strides=[2], dilations=[2], kernel_shape=[3]>(x, w) }}"""
    model = rewritten(RULE, text, signed(2, 4, 9))
    assert [node.op_type for node in model.graph.node] == ["Unsqueeze", "Conv", "Squeeze"]


@pytest.mark.parametrize("attributes", ["", "strides=[2], output_padding=[1], pads=[1, 0]"])
def test_transposed_convolution_over_two_axes(attributes):
    rule = Rule("over_two_axes", frozenset({"ConvTranspose"}), over_two_axes)
    text = f"""m (float[2,6,9] x) => (float[?,?,?] y) <float[6,2,3] w = {{{_WEIGHTS}}}>
        {{ y = ConvTranspose<{attributes}>(x, w) }}""".replace("<>", "")
    model = rewritten(rule, text, signed(2, 6, 9))
    assert [node.op_type for node in model.graph.node] == ["Unsqueeze", "ConvTranspose", "Squeeze"]


def test_one_group_stays():
    text = f"""m (float[2,2,9] x) => (float[?,?,?] y) <float[6,2,3] w = {{{_WEIGHTS}}}>
        {{ y = Conv(x, w) }}"""
    assert "one group" in refusal(RULE, text)
