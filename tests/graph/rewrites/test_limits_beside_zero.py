import re

import pytest

from mobileq.graph.rewrites.limits_beside_zero import RULE
from tests.graph.rewrites.rewriting import refusal, rewritten, signed

LIMITS = "<float low = {0.2}, float high = {1.0}, float below = {-0.3}, float[2] both = {1.0, 2.0}>"


def _model(made: str) -> str:
    given = re.sub(r"\bx\b", "p", made)
    pooled = "p = MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x)"
    return f"m (float[1,2,9,9] x) => (float[1,2,9,9] y) {LIMITS} {{ {pooled} y = {given} }}"


@pytest.mark.parametrize(
    "made",
    ["Clip(x, low, high)", "Clip(x, low)", "Clip(x, , below)", "Max(low, x)", "Min(x, below)"],
)
def test_limits_are_moved_to_zero(made: str) -> None:
    model = rewritten(RULE, _model(made), signed(1, 2, 9, 9))
    assert [node.op_type for node in model.graph.node] == ["MaxPool", "Sub", "Clip", "Add"]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ("Clip(x, below, high)", "zero is within its limits"),
        ("Max(x, below)", "zero is within its limits"),
        ("Max(x, x)", "its limits are not known"),
        ("Clip(x)", "zero is within its limits"),
    ],
)
def test_others_stay(made: str, why: str) -> None:
    assert refusal(RULE, _model(made)) == why


def test_what_is_no_convolutions_stays() -> None:
    model = f"m (float[2,9] x) => (float[2,9] y) {LIMITS} {{ y = Clip(x, low) }}"
    assert refusal(RULE, model) == "no convolution and no pooling gives what is limited"
