from mobileq.graph.rewrites.split_sizes import RULE
from tests.graph.rewrites.rewriting import refusal, rewritten, signed


def test_last_part_gets_what_is_left():
    text = """m (float[2,7] x) => (float[2,3] a, float[2,3] b, float[2,1] c)
        { a, b, c = Split<axis=-1, num_outputs=3>(x) }"""
    rewritten(RULE, text, signed(2, 7), opset=18)


def test_equal_parts_stay():
    text = "m (float[4] x) => (float[2] a, float[2] b) { a, b = Split<num_outputs=2>(x) }"
    assert refusal(RULE, text, opset=18) == "its parts are equal"
