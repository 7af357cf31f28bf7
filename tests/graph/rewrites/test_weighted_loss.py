import numpy as np
import pytest

from mobileq.graph.rewrites.weighted_loss import RULE
from tests.graph.rewrites.rewriting import refusal, rewritten, signed, whole

SCORES = signed(2, 5, 3)
LABELS = whole("int64", 0, 5, (2, 3))
OPS = ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"]


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("ignored", ["", "<ignore_index=2>"])
@pytest.mark.parametrize("op", OPS)
def test_mean_is_a_sum_over_a_sum(op, ignored, sign):
    text = (
        f"m (float[2,5,3] x, int64[2,3] t, float[5] w) => (float y) {{ y = {op}{ignored}(x,t,w) }}"
    )
    weights = np.array([0.2, 0.3, 1.5, 0.4, 2.0], np.float32) * np.float32(sign)
    rewritten(RULE, text, SCORES, LABELS, weights)


def test_logarithms_of_a_cross_entropy_stay_an_output():
    text = """m (float[2,5,3] x, int64[2,3] t, float[5] w) => (float y, float[2,5,3] p)
    { y, p = SoftmaxCrossEntropyLoss(x, t, w) }"""
    rewritten(RULE, text, SCORES, LABELS, np.abs(signed(5)) + 1)


@pytest.mark.parametrize(
    "node", [f"{OPS[0]}(x, t)", f'{OPS[0]}<reduction="sum">(x, t, w)', f"{OPS[1]}(x, t)"]
)
def test_what_is_no_weighted_mean_stays(node):
    text = f"m (float[2,5,3] x, int64[2,3] t, float[5] w) => (float y) {{ y = {node} }}"
    assert refusal(RULE, text) == "it is no weighted mean"
