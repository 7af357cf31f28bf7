import pytest

from mobileq.graph.rewrites.narrow_integers import RULE
from tests.graph.rewrites.rewriting import refusal, rewritten, whole


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
def test_arithmetic_wraps_around_as_before(op, kind):
    low = -120 if kind == "int8" else 0
    text = f"m ({kind}[40] a, {kind}[40] b) => ({kind}[40] y) {{ y = {op}(a, b) }}"
    a, b = whole(kind, low, 120, (40,)), whole(kind, low, 120, (40,))[::-1].copy()
    rewritten(RULE, text, a, b)


@pytest.mark.parametrize("kind", ["uint16", "uint32"])
def test_comparisons_give_truth_values(kind):
    text = f"m ({kind}[40] a, {kind}[40] b) => (bool[40] y) {{ y = Greater(a, b) }}"
    a, b = whole(kind, 0, 9, (40,)), whole(kind, 0, 9, (40,))[::-1].copy()
    rewritten(RULE, text, a, b)


def test_wide_integers_stay():
    text = "m (int32[3] a, int32[3] b) => (int32[3] y) { y = Add(a, b) }"
    assert refusal(RULE, text) == "it is of int32, which runtimes compute"
