import pytest

from mobileq.graph.rewrites.flat_loss import RULE
from tests.graph.rewrites.rewriting import refusal, rewritten, signed, whole

SCORES = signed(2, 5, 3, 2, 2, 3)
LABELS = whole("int64", 0, 5, (2, 3, 2, 2, 3))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("op", ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"])
def test_all_places_in_one_axis(op, reduction):
    shape = "2,3,2,2,3" if reduction == "none" else ""
    outputs, given = f"float[{shape}] y", "y"
    if op.startswith("Soft"):
        outputs, given = f"{outputs}, float[2,5,3,2,2,3] p", "y, p"
    text = (
        f"m (float[2,5,3,2,2,3] x, int64[2,3,2,2,3] t) => ({outputs})"
        f'{{ {given} = {op}<reduction="{reduction}">(x, t) }}'
    )
    rewritten(RULE, text, SCORES, LABELS)


def test_pictures_stay():
    text = (
        "m (float[2,5,3,2] x, int64[2,3,2] t) => (float y){ y = NegativeLogLikelihoodLoss(x, t) }"
    )
    assert refusal(RULE, text) == "it is of 5 axes or fewer"
