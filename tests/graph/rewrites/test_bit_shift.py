import numpy as np
import pytest

from mobileq.graph.rewrites.bit_shift import RULE, write
from mobileq.graph.rewrites.rule import Rule
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, whole

BOTH = Rule("bit_shift", RULE.ops, write)


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("kind", ["uint8", "uint32"])
def test_shift_cuts_off_what_leaves_the_type(kind, direction):
    text = (
        f"m ({kind}[40] a, {kind}[40] b) => ({kind}[40] y)"
        f'{{ y = BitShift<direction="{direction}">(a, b) }}'
    )
    most = np.iinfo(kind)
    bits = most.bits
    result = rewritten(BOTH, text, whole(kind, 0, most.max, (40,)), whole(kind, 0, bits, (40,)))
    assert "BitShift" not in ops(result)


def test_sixty_four_bits_stay():
    text = 'm (uint64[4] a) => (uint64[4] y) { y = BitShift<direction="LEFT">(a, a) }'
    assert refusal(RULE, text) == "no wider type holds it"
