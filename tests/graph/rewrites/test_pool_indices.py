import numpy as np
import pytest

from mobileq.graph.rewrites.pool_indices import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten

PICTURES = np.random.default_rng(3).permutation(2 * 3 * 7 * 9).reshape(2, 3, 7, 9)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize(
    ("height", "width", "attributes"),
    [
        (5, 8, "kernel_shape=[3, 2]"),
        (7, 9, "kernel_shape=[3, 3], pads=[1, 1, 1, 1]"),
        (4, 5, "kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1"),
        (3, 7, "kernel_shape=[3, 3], strides=[2, 1], dilations=[1, 1]"),
    ],
)
def test_indices_count_through_the_whole_tensor(height, width, attributes, order):
    text = (
        f"m (float[2,3,7,9] x) => (float[2,3,{height},{width}] y, int64[2,3,{height},{width}] i)"
        f"{{ y, i = MaxPool<{attributes}, storage_order={order}>(x) }}"
    )
    assert "MaxPool" not in ops(rewritten(RULE, text, PICTURES.astype(np.float32)))


def test_windows_of_two_by_two_stay():
    text = (
        "m (float[1,1,4,4] x) => (float[1,1,2,2] y, int64[1,1,2,2] i)"
        "{ y, i = MaxPool<kernel_shape=[2, 2], strides=[2, 2]>(x) }"
    )
    assert refusal(RULE, text) == "converters know it"
