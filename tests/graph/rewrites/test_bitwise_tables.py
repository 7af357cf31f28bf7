import numpy as np
import pytest

from mobileq.graph.rewrites.bitwise_tables import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, whole


@pytest.mark.parametrize("op", ["BitwiseAnd", "BitwiseOr"])
@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
def test_every_bit_counts(op, kind):
    text = f"m ({kind}[4,50] a, {kind}[50] b) => ({kind}[4,50] y) {{ y = {op}(a, b) }}"
    most = np.iinfo(kind)
    one, other = whole(kind, most.min, most.max, (4, 50)), whole(kind, most.min, most.max, (50,))
    other[:2] = most.min, most.max
    assert op not in ops(rewritten(RULE, text, one, other, opset=18))


def test_unsigned_of_sixty_four_bits_stays():
    text = "m (uint64[3] a, uint64[3] b) => (uint64[3] y) { y = BitwiseAnd(a, b) }"
    assert refusal(RULE, text, opset=18) == "no wider type with a sign holds it"
