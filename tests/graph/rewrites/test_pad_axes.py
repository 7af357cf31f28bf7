from mobileq.graph.rewrites.pad_axes import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed


def test_axes_that_are_not_named_get_no_pads():
    text = """m (float[2,3,4] x) => (float[?,?,?] y)
        <int64[4] p = {1, 2, 3, 0}, float v = {7.5}, int64[2] a = {0, -1}>
        { y = Pad(x, p, v, a) }"""
    rewritten(RULE, text, signed(2, 3, 4), opset=18)


def test_borders_are_wrapped():
    text = """m (float[1,3,4] x) => (float[?,?,?] y)
        <int64[6] p = {0, 1, 4, 0, 2, 3}> { y = Pad<mode="wrap">(x, p) }"""
    assert "Pad" not in ops(rewritten(RULE, text, signed(1, 3, 4), opset=19))


def test_pads_of_all_axes_stay():
    text = """m (float[2] x) => (float[?] y) <int64[2] p = {1, 1}> { y = Pad(x, p) }"""
    assert refusal(RULE, text, opset=18) == "it pads every axis"
