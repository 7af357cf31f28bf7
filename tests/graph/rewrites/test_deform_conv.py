import numpy as np
import pytest

from mobileq.graph.rewrites.deform_conv import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed


@pytest.mark.parametrize(("group", "offset_group"), [(1, 2), (2, 1), (2, 2)])
@pytest.mark.parametrize("masked", [False, True])
def test_taps_are_sampled_where_the_offsets_say(group, offset_group, masked):
    taps = 6 * offset_group
    mask = f", float[2,{taps},5,4] k" if masked else ""
    text = (
        f"m (float[2,4,9,6] x, float[2,{2 * taps},5,4] o{mask}) => (float[2,6,5,4] y)"
        f"<float[6,{4 // group},3,2] w = {{{', '.join(map(str, WEIGHTS[: 36 * 4 // group]))}}},"
        " float[6] b = {1, 2, 3, 4, 5, 6}>"
        f"{{ y = DeformConv<group={group}, offset_group={offset_group}, strides=[2, 1],"
        f" pads=[1, 0, 1, 0], dilations=[1, 2]>(x, w, o, b{', k' if masked else ''}) }}"
    )
    feeds = [signed(2, 4, 9, 6), signed(2, 2 * taps, 5, 4, scale=1.0)]
    if masked:
        feeds.append(np.abs(signed(2, taps, 5, 4, scale=1.0)))
    assert "DeformConv" not in ops(rewritten(RULE, text, *feeds, opset=19))


WEIGHTS = np.random.default_rng(2).normal(size=144).round(3).tolist()


def test_one_group_stays():
    text = (
        "m (float[1,1,3,3] x, float[1,8,2,2] o, float[1,1,2,2] w) => (float[1,1,2,2] y)"
        "{ y = DeformConv(x, w, o) }"
    )
    assert refusal(RULE, text, opset=19) == "it is in one group"
