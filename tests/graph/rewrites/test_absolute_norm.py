import pytest

from mobileq.graph.rewrites.absolute_norm import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("opset", [11, 17])
def test_values_are_divided_by_their_sizes(axis, opset):
    text = f"m (float[2,3] x) => (float[2,3] y) {{ y = LpNormalization<axis={axis}, p=1>(x) }}"
    assert "Div" in ops(rewritten(RULE, text, signed(2, 3) + 4.0, opset=opset))


def test_euclidean_norm_stays():
    text = "m (float[2,3] x) => (float[2,3] y) { y = LpNormalization(x) }"
    assert refusal(RULE, text) == "its p is 2"
