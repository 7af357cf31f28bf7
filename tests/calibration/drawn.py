"""Arrays for property tests, made as a whole: to draw and filter each element took nearly all time.

Half are a few chosen values among one that fills the rest, where Hypothesis looks for the corners;
half are spreads, of another size and shape each, where no two values are equal.
"""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


def float_arrays(limit: float, smallest: float, longest: int) -> st.SearchStrategy[np.ndarray]:
    """float32 [1 to `longest`], each value 0 or from `smallest` to `limit` away from it."""
    lengths = st.integers(1, longest)
    chosen = hnp.arrays(
        np.float32, lengths, elements=st.floats(-limit, limit, width=32, allow_subnormal=False)
    )
    spread = st.builds(
        _spread,
        lengths,
        seed=st.integers(0, 2**32 - 1),
        width=st.floats(smallest, limit),
        tail=st.sampled_from([0.0, 1.0, 3.0, 9.0]),
        middle=st.floats(-limit, limit) | st.just(0.0),
    )
    return (chosen | spread).map(lambda values: _within(values, limit, smallest))


def _spread(length: int, seed: int, width: float, tail: float, middle: float) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = random.normal(size=length) * np.exp(tail * random.normal(size=length))
    return middle + width * values


def _within(values: np.ndarray, limit: float, smallest: float) -> np.ndarray:
    kept = np.clip(values, -limit, limit).astype(np.float32)
    return np.where(np.abs(kept) > smallest, kept, np.float32(0))
