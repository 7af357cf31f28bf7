import numpy as np
import pytest

from mobileq.graph.rewrites.prelu import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed


@pytest.mark.parametrize("slope", ["5", "4,5", "3,4,5"])
def test_slope_is_broadcast(slope):
    text = f"m (float[1,3,4,5] x, float[{slope}] s) => (float[1,3,4,5] y) {{ y = PRelu(x, s) }}"
    shape = tuple(map(int, slope.split(",")))
    assert "PRelu" not in ops(rewritten(RULE, text, signed(1, 3, 4, 5), signed(*shape)))


def test_slope_of_each_channel_stays():
    text = """m (float[1,3,4,5] x) => (float[1,3,4,5] y)
        <float[3,1,1] s = {0.1, 0.2, 0.3}> { y = PRelu(x, s) }"""
    assert "each channel" in refusal(RULE, text)


def test_slope_along_the_rows_is_no_slope_of_channels():
    text = """m (float[1,3,2,3] x) => (float[1,3,2,3] y)
        <float[3] s = {0.1, 0.2, 0.3}> { y = PRelu(x, s) }"""
    assert "PRelu" not in ops(rewritten(RULE, text, signed(1, 3, 2, 3)))
    assert np.ndim(signed(1)) == 1
