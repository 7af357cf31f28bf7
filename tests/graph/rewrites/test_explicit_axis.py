import numpy as np
import pytest

from mobileq.graph.rewrites.explicit_axis import RULE
from tests.graph.rewrites.rewriting import refusal, rewritten, signed


@pytest.mark.parametrize(("opset", "axis"), [(17, -1), (11, 1)])
def test_hardmax_takes_the_last_axis(opset, axis):
    text = "m (float[3,4,5] x) => (float[3,4,5] y) { y = Hardmax(x) }"
    (node,) = rewritten(RULE, text, signed(3, 4, 5), opset=opset).graph.node
    assert node.attribute[0].i == axis


def test_elements_are_scattered_along_the_first_axis():
    text = (
        "m (float[3,4] x, int64[2,4] i, float[2,4] u) => (float[3,4] y)"
        "{ y = ScatterElements(x, i, u) }"
    )
    places = np.array([[0, 1, 2, 0], [1, 0, 0, 2]])
    (node,) = rewritten(RULE, text, signed(3, 4), places, signed(2, 4)).graph.node
    assert node.attribute[0].i == 0


def test_given_axis_stays():
    text = "m (float[3,4,5] x) => (float[3,4,5] y) { y = Hardmax<axis=1>(x) }"
    assert refusal(RULE, text) == "it has an axis"
