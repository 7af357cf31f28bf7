import numpy as np
import pytest

from mobileq.graph.rewrites.scatter_reduction import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed


@pytest.mark.parametrize("reduction", ["add", "mul", "max", "min"])
def test_slices_that_come_twice_count_twice(reduction):
    text = (
        "m (float[4,5,3] x, int64[3,2,1] i, float[3,2,5,3] u) => (float[4,5,3] y)"
        f'{{ y = ScatterND<reduction="{reduction}">(x, i, u) }}'
    )
    places = np.array([0, 2, 2, 3, 0, 2]).reshape(3, 2, 1)
    result = rewritten(RULE, text, signed(4, 5, 3), places, signed(3, 2, 5, 3, scale=1), opset=18)
    assert len(result.graph.node) > 6 * 4
    assert all(not node.attribute for node in result.graph.node if node.op_type == "ScatterND")


@pytest.mark.parametrize("reduction", ["add", "mul", "max", "min"])
def test_elements_that_come_twice_count_twice(reduction):
    text = (
        "m (float[4,5] x, int64[4,3] i, float[4,3] u) => (float[4,5] y)"
        f'{{ y = ScatterElements<axis=1, reduction="{reduction}">(x, i, u) }}'
    )
    places = np.array([[0, 1, 1], [4, 4, 4], [0, 1, 2], [3, 0, 3]])
    result = rewritten(RULE, text, signed(4, 5), places, signed(4, 3, scale=1), opset=18)
    assert {"GatherElements", "ScatterElements"} <= ops(result)


def test_replacement_stays():
    text = (
        "m (float[4,5] x, int64[4,3] i, float[4,3] u) => (float[4,5] y)"
        "{ y = ScatterElements<axis=1>(x, i, u) }"
    )
    assert refusal(RULE, text, opset=18) == "it replaces what lies there"
