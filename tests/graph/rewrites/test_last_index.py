import pytest

from mobileq.graph.rewrites.last_index import RULE
from tests.graph.rewrites.rewriting import refusal, rewritten, whole


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_last_of_equal_values_is_found(op, axis):
    text = f"""m (float[5,6,7] x) => (int64[?,?,?] y)
        {{ y = {op}<axis={axis}, select_last_index=1>(x) }}"""
    rewritten(RULE, text, whole("float32", -2, 3, (5, 6, 7)))


def test_first_index_stays():
    text = "m (float[4,3] x) => (int64[1,3] y) { y = ArgMax(x) }"
    assert refusal(RULE, text) == "it takes the first index"
