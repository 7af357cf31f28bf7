from mobileq.graph.rewrites.gelu_tanh import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed


def test_tanh_is_written_out():
    text = 'm (float[40] x) => (float[40] y) { y = Gelu<approximate="tanh">(x) }'
    assert "Gelu" not in ops(rewritten(RULE, text, signed(40), opset=20))


def test_exact_one_stays():
    text = "m (float[4] x) => (float[4] y) { y = Gelu(x) }"
    assert refusal(RULE, text, opset=20) == "it is exact"
