import pytest

from mobileq.graph.rewrites.bitwise_not import RULE
from tests.graph.rewrites.rewriting import ops, rewritten, whole


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint16"])
def test_every_bit_is_turned(kind):
    text = f"m ({kind}[30] x) => ({kind}[30] y) {{ y = BitwiseNot(x) }}"
    assert "BitwiseNot" not in ops(rewritten(RULE, text, whole(kind, 0, 127, (30,)), opset=18))
