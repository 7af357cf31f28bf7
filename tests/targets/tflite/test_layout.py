"""Orders of axes are found where there is one, and undone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobileq.spec import TensorSpec
from mobileq.targets.tflite.layout import file_order, fitting_orders, inverse


@pytest.mark.parametrize(
    ("model", "file", "expected"),
    [
        ((1, 3, 640, 480), (1, 640, 480, 3), [(0, 2, 3, 1)]),
        ((1, 640, 480, 3), (1, 3, 640, 480), [(0, 3, 1, 2)]),
        ((1, 3549, 85), (1, 85, 3549), [(0, 2, 1)]),
        ((1, 84, 84), (1, 84, 84), [(0, 1, 2), (0, 2, 1)]),
        ((1, 80, 80, 80), (1, 80, 80, 80), [(0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2)]),
        ((1, 1, 8), (1, 1, 8), [(0, 1, 2)]),
        ((1, 1, 1, 8), (1, 1, 8, 1), [(0, 2, 3, 1)]),  # where ones go makes no difference
        ((1, 3, 640, 640), (1, 640, 640, 3), [(0, 2, 3, 1)]),  # height and width keep their order
        ((1, 4, 4, 6, 5), (1, 4, 6, 5, 4), [(0, 2, 3, 4, 1)]),  # channels go last, not rows
        ((1, 9, 9, 9, 9), (1, 9, 9, 9, 9), [(0, 1, 2, 3, 4), (0, 2, 3, 4, 1), (0, 4, 1, 2, 3)]),
        ((7, 5), (5, 7), [(1, 0)]),
        ((), (), [()]),
        ((4,), (4,), [(0,)]),
        ((1, 3, 8, 8), (1, 8, 8, 4), []),
        ((1, 3, 8), (1, 3, 8, 1), []),
        ((2, 6), (3, 4), []),
        ((2, -1), (2, 1), [(0, 1)]),  # known when it runs
    ],
)
def test_orders_of_axes_that_fit_are_found(model, file, expected):
    assert list(fitting_orders(model, file)) == expected


@given(st.lists(st.integers(1, 3), max_size=5), st.randoms())
def test_any_order_of_the_same_axes_is_found(shape, random):
    order = random.sample(range(len(shape)), len(shape))
    file = tuple(shape[axis] for axis in order)
    found = fitting_orders(tuple(shape), file)
    assert found
    assert all(np.zeros(shape).transpose(order).shape == file for order in found)


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((1, 3, 8, 8), "NCHW", (0, 2, 3, 1)),
        ((1, 9, 8, 8), None, (0, 2, 3, 1)),
        ((1, 8, 8, 3), "NHWC", (0, 1, 2, 3)),
        ((1, 8, 8, 8), "NCHW", (0, 1, 2, 3)),
        ((1, 3, 8), None, (0, 1, 2)),
    ],
)
def test_input_gets_the_order_that_its_shape_tells(shape, layout, expected):
    spec = TensorSpec(name="x", shape=shape, dtype="float32", layout=layout)
    assert file_order(spec) == expected


@given(st.permutations(range(4)))
def test_inverse_undoes_the_order(order):
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(array.transpose(order).transpose(inverse(tuple(order))), array)
