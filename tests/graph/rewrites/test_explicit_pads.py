import numpy as np
import pytest

from mobileq.graph.outline import attribute
from mobileq.graph.rewrites.explicit_pads import RULE
from tests.graph.rewrites.rewriting import refusal, rewritten, signed


@pytest.mark.parametrize("strides", ["1,1", "2,2", "2,3"])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_odd_pad_of_a_pooling_goes_before(op, strides):
    text = f"""m (float[1,2,6,7] x) => (float[?,?,?,?] y)
        {{ y = {op}<auto_pad="SAME_LOWER", kernel_shape=[2,4], strides=[{strides}]>(x) }}"""
    model = rewritten(RULE, text, signed(1, 2, 6, 7))
    assert attribute(model.graph.node[0], "auto_pad") is None


def test_odd_pad_of_a_convolution_goes_before():
    text = """m (float[1,1,6,7] x, float[2,1,2,4] w) => (float[?,?,?,?] y)
        { y = Conv<auto_pad="SAME_LOWER">(x, w) }"""
    model = rewritten(RULE, text, signed(1, 1, 6, 7), signed(2, 1, 2, 4))
    pads = attribute(model.graph.node[0], "pads")
    assert pads is not None
    assert np.array_equal(pads.ints, [1, 2, 0, 1])


def test_explicit_pads_stay():
    text = """m (float[1,1,6] x) => (float[?,?,?] y) { y = MaxPool<kernel_shape=[2]>(x) }"""
    assert "explicit" in refusal(RULE, text)
