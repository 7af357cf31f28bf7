"""Sessions in the process that runs them."""

import numpy as np
import pytest

from mobileq.onnx_runtime import SessionError, SessionOptions
from mobileq.onnx_runtime.session import LocalSession
from tests.graph.builders import model_of


def opened(text: str) -> LocalSession:
    return LocalSession(model_of(text).SerializeToString(), SessionOptions(threads=1))


def test_what_stays_in_place_outlives_later_runs_and_the_session() -> None:
    first = opened("g (float[2,3] x) => (float[2,3] y, int64[2] i) { y = Neg(x) i = Shape(x) }")
    second = opened("g (float[2,3] y, int64[2] i) => (float[2,3] z) { z = Expand(y, i) }")
    ones = np.ones((2, 3), np.float32)
    found = first.run_in_place({"x": ones})
    later = first.run_in_place({"x": 5 * ones})
    assert found.keys() == {"y", "i"}
    first.close()
    assert second.run_in_place(found)["z"].tolist() == (-ones).tolist()
    assert second.run_in_place(later)["z"].tolist() == (-5 * ones).tolist()


@pytest.mark.parametrize("feeds", [{}, {"x": np.ones((3, 2), np.float32)}])
def test_what_a_session_refuses_is_its_error(feeds: dict[str, np.ndarray]) -> None:
    session = opened("g (float[2,3] x) => (float[2,3] y) { y = Neg(x) }")
    with pytest.raises(SessionError, match="can't run the model on the samples"):
        session.run_in_place(feeds)
