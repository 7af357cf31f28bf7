"""Orders of axes are found where there is one, and undone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobileq.targets.tflite.layout import find_permutation, inverse


@pytest.mark.parametrize(
    ("model", "file", "expected"),
    [
        ((1, 3, 640, 480), (1, 640, 480, 3), (0, 2, 3, 1)),
        ((1, 640, 480, 3), (1, 3, 640, 480), (0, 3, 1, 2)),
        ((1, 3549, 85), (1, 85, 3549), (0, 2, 1)),
        ((1, 84, 84), (1, 84, 84), (0, 1, 2)),  # nothing tells them apart
        ((1, 3, 640, 640), (1, 640, 640, 3), (0, 2, 3, 1)),  # of two the usual one
        ((7, 5), (5, 7), (1, 0)),
        ((), (), ()),
        ((4,), (4,), (0,)),
        ((1, 3, 8, 8), (1, 8, 8, 4), None),
        ((1, 3, 8), (1, 3, 8, 1), None),
        ((2, 6), (3, 4), None),
    ],
)
def test_order_of_axes_is_found(model, file, expected):
    assert find_permutation(model, file) == expected


@given(st.lists(st.integers(1, 3), max_size=5), st.randoms())
def test_any_order_of_the_same_axes_is_found(shape, random):
    order = random.sample(range(len(shape)), len(shape))
    file = tuple(shape[axis] for axis in order)
    found = find_permutation(tuple(shape), file)
    assert found is not None
    assert np.zeros(shape).transpose(found).shape == file


@given(st.permutations(range(4)))
def test_inverse_undoes_the_order(order):
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(array.transpose(order).transpose(inverse(tuple(order))), array)
