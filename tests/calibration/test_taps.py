"""Where a subsample lies."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mobileq.calibration.taps import flat_step, strides


@given(st.integers(1, 2048), st.integers(1, 700), st.integers(1, 700))
def test_strides_are_odd_and_leave_enough_positions(channels: int, height: int, width: int) -> None:
    steps = strides((1, channels, height, width))
    assert steps is not None
    rows, columns = steps
    assert rows % 2 == columns % 2 == 1
    count = -(-height // rows) * -(-width // columns)
    assert count >= min(height * width, 8)
    assert count >= 0.4 * (height * width) ** 0.5
    assert count * channels >= min(height * width * channels, 256)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=4))
def test_flat_step_visits_every_index_of_every_axis(shape: list[int]) -> None:
    size = int(np.prod(shape))
    step = flat_step(size, shape)
    assert -(-size // step) <= 2048
    if size < 40 * 2048:
        taken = np.unravel_index(np.arange(0, size, step), shape)
        for indices, length in zip(taken, shape, strict=True):
            if len(indices) > 4 * length:
                assert len(np.unique(indices)) == length
