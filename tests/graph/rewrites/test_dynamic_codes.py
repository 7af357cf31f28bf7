import numpy as np
import pytest

from mobileq.graph.rewrites.dynamic_codes import RULE
from tests.graph.rewrites.rewriting import ops, rewritten, signed

TEXT = """m (float[3,4] x) => (uint8[3,4] y, float s, uint8 z)
{ y, s, z = DynamicQuantizeLinear(x) }"""
NUMBERS = signed(3, 4)


@pytest.mark.parametrize(
    "numbers", [NUMBERS, np.abs(NUMBERS) + 1, -np.abs(NUMBERS) - 1, np.zeros_like(NUMBERS)]
)
def test_range_holds_zero_and_has_a_width(numbers):
    assert "DynamicQuantizeLinear" not in ops(rewritten(RULE, TEXT, numbers, atol=0))
