import pytest

from mobileq.graph.rewrites.slice_backwards import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed


@pytest.mark.parametrize(
    ("start", "end", "step"),
    [(20, 0, -3), (-1, -99999, -1), (4, 1, -2), (6, -100, -2), (9, 3, -1)],
)
def test_values_are_taken_by_their_indices(start, end, step):
    text = f"""m (float[3,7] x) => (float[?,?] y)
        <int64[2] s = {{0, {start}}}, int64[2] e = {{2, {end}}}, int64[2] a = {{0, 1}},
         int64[2] t = {{1, {step}}}> {{ y = Slice(x, s, e, a, t) }}"""
    assert "Slice" not in ops(rewritten(RULE, text, signed(3, 7)))


def test_steps_forwards_stay():
    text = """m (float[7] x) => (float[?] y)
        <int64[1] s = {1}, int64[1] e = {5}, int64[1] a = {0}, int64[1] t = {2}>
        { y = Slice(x, s, e, a, t) }"""
    assert refusal(RULE, text) == "its steps are positive"
