import numpy as np

from mobileq.graph.rewrites.max_unpool import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed


def test_values_come_to_lie_at_their_indices():
    text = (
        "m (float[2,1,2,2] x, int64[2,1,2,2] i) => (float[2,1,4,4] y)"
        "{ y = MaxUnpool<kernel_shape=[2, 2], strides=[2, 2]>(x, i) }"
    )
    places = np.array([5, 7, 13, 15, 16, 19, 25, 30]).reshape(2, 1, 2, 2)
    assert "MaxUnpool" not in ops(rewritten(RULE, text, signed(2, 1, 2, 2), places))


def test_other_shape_stays():
    text = (
        "m (float[1,1,2,2] x, int64[1,1,2,2] i) => (float[1,1,5,5] y)"
        "<int64[4] s = {1, 1, 5, 5}>"
        "{ y = MaxUnpool<kernel_shape=[2, 2], strides=[2, 2]>(x, i, s) }"
    )
    assert refusal(RULE, text) == "its indices are of a tensor of another shape"
