import pytest

from mobileq.graph.rewrites.constant_branch import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed

_BRANCHES = """<then_branch = g () => (float[3] t) { t = Sigmoid(x) },
                else_branch = h () => (float[3] e) { e = Tanh(x) }>"""


@pytest.mark.parametrize(("condition", "op"), [(1, "Sigmoid"), (0, "Tanh")])
def test_branch_that_is_taken_stands_alone(condition, op):
    text = f"""m (float[3] x) => (float[3] y) <bool c = {{{condition}}}>
        {{ y = If (c) {_BRANCHES} }}"""
    assert ops(rewritten(RULE, text, signed(3))) == {op, "Identity"}


def test_open_condition_stays():
    text = f"m (float[3] x, bool c) => (float[3] y) {{ y = If (c) {_BRANCHES} }}"
    assert "only when it runs" in refusal(RULE, text)
