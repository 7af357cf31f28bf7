import numpy as np

from mobileq.graph.rewrites.grouped_conv1d import RULE
from tests.graph.rewrites.rewriting import refusal, rewritten, signed

_WEIGHTS = ", ".join(f"{value:.3f}" for value in np.linspace(-1, 1, 6 * 2 * 3))


def test_groups_are_of_two_axes():
    text = f"""m (float[2,4,9] x) => (float[?,?,?] y) <float[6,2,3] w = {{{_WEIGHTS}}}>
        {{ y = Conv<group=2, pads=[1,0], strides=[2], dilations=[2], kernel_shape=[3]>(x, w) }}"""
    model = rewritten(RULE, text, signed(2, 4, 9))
    assert [node.op_type for node in model.graph.node] == ["Unsqueeze", "Conv", "Squeeze"]


def test_one_group_stays():
    text = f"""m (float[2,2,9] x) => (float[?,?,?] y) <float[6,2,3] w = {{{_WEIGHTS}}}>
        {{ y = Conv(x, w) }}"""
    assert "one group" in refusal(RULE, text)
