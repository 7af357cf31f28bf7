import pytest

from mobileq.graph.rewrites.one_input import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed


@pytest.mark.parametrize("op", ["Clip", "Max", "Min", "Sum", "Mean"])
def test_one_input_is_the_result(op):
    text = f"m (float[4] x) => (float[4] y) {{ y = {op}(x) }}"
    assert ops(rewritten(RULE, text, signed(4))) == {"Identity"}


def test_limits_stay():
    text = "m (float[4] x) => (float[4] y) { y = Clip<min=0.0>(x) }"
    assert refusal(RULE, text, opset=10) == "it has limits"


def test_two_inputs_stay():
    text = "m (float[4] x) => (float[4] y) { y = Max(x, x) }"
    assert refusal(RULE, text) == "it has several inputs"
