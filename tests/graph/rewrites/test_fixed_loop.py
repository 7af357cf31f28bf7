import numpy as np

from mobileq.graph.rewrites.fixed_loop import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed

_LOOP = """<body = b (int64 i, bool going, float[3] v) => (bool on, float[3] w, float[3] s) {
    on = Identity(going)
    t = Cast<to=1>(i)
    w = Add(v, x)
    s = Mul(w, t)
}>"""


def test_every_turn_is_written_out():
    text = f"""m (float[3] x) => (float[3] y, float[?,?] z) <int64 n = {{4}}, bool c = {{1}}>
        {{ y, z = Loop (n, c, x) {_LOOP} }}"""
    model = rewritten(RULE, text, signed(3))
    assert "Loop" not in ops(model)
    assert np.count_nonzero([node.op_type == "Add" for node in model.graph.node]) == 4


def test_count_that_is_fed_stays():
    text = f"""m (float[3] x, int64 n) => (float[3] y, float[?,?] z) <bool c = {{1}}>
        {{ y, z = Loop (n, c, x) {_LOOP} }}"""
    assert "only when it runs" in refusal(RULE, text)


def test_loop_that_may_end_before_stays():
    text = """m (float[3] x) => (float[3] y) <int64 n = {4}, bool c = {1}> {
        y = Loop (n, c, x) <body = b (int64 i, bool going, float[3] v) => (bool on, float[3] w) {
            three = Constant<value_int=2>()
            on = Less(i, three)
            w = Add(v, x)
        }>
    }"""
    assert refusal(RULE, text) == "it may end before"
