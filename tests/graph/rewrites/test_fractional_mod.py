import pytest

from mobileq.graph.rewrites.fractional_mod import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, whole


@pytest.mark.parametrize("kind", ["float", "int64", "int32"])
def test_sign_is_the_dividends(kind):
    text = f"m ({kind}[30] a, {kind}[30] b) => ({kind}[30] y) {{ y = Mod<fmod=1>(a, b) }}"
    dtype = "float32" if kind == "float" else kind
    divisors = whole(dtype, 1, 5, (30,)) * whole(dtype, 0, 2, (30,))
    divisors[divisors == 0] = -3
    assert "Mod" not in ops(rewritten(RULE, text, whole(dtype, -9, 9, (30,)), divisors))


def test_other_modulo_stays():
    text = "m (int64[3] a, int64[3] b) => (int64[3] y) { y = Mod(a, b) }"
    assert refusal(RULE, text) == "its sign is the divisor's"
