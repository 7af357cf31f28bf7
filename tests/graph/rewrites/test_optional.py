from mobileq.graph.rewrites.optional import RULE
from tests.graph.rewrites.rewriting import ops, rewritten, signed


def test_tensor_has_an_element_which_is_itself():
    text = (
        "m (float[3] x) => (bool there, float[3] y)"
        "{ there = OptionalHasElement(x) y = OptionalGetElement(x) }"
    )
    assert ops(rewritten(RULE, text, signed(3), opset=18)) == {"Identity"}


def test_what_is_left_out_has_none():
    text = "m (float[3] x) => (bool there, float[3] y) { there = OptionalHasElement() y = Relu(x) }"
    assert ops(rewritten(RULE, text, signed(3), opset=18)) == {"Identity", "Relu"}
