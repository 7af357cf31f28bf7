from mobileq.graph.rewrites.elu_alpha import RULE
from tests.graph.rewrites.rewriting import refusal, rewritten, signed


def test_alpha_is_written_out():
    model = rewritten(
        RULE, "m (float[2,9] x) => (float[2,9] y) { y = Elu<alpha=2.0>(x) }", signed(2, 9)
    )
    assert not any(node.op_type == "Elu" and node.attribute for node in model.graph.node)


def test_alpha_of_one_stays():
    assert refusal(RULE, "m (float[2] x) => (float[2] y) { y = Elu(x) }") == "its alpha is 1"
