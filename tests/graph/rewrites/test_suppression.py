import numpy as np
import pytest

from mobileq.graph.rewrites.suppression import RULE
from tests.graph.rewrites.rewriting import refusal, rewritten, signed

LIMITS = "<int64 k = {3}, float i = {0.4}, float t = {0.3}>"
SCORES = np.random.default_rng(1).random((2, 3, 12), np.float32)


def text(pictures: int, body: str) -> str:
    return (
        f"m (float[{pictures},12,4] b, float[{pictures},3,12] s) => (int64[n,3] y)"
        f" {LIMITS} {{ {body} }}"
    )


@pytest.mark.parametrize("given", ["", "<center_point_box=1>"])
@pytest.mark.parametrize("pictures", [1, 2])
def test_corners_of_each_picture(pictures, given):
    boxes = signed(pictures, 12, 4)
    boxes = np.abs(boxes) + 0.1 if given else boxes
    model = rewritten(
        RULE,
        text(pictures, f"y = NonMaxSuppression{given}(b, s, k, i, t)"),
        boxes,
        SCORES[:pictures],
    )
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("NonMaxSuppression") == pictures


def test_corners_that_are_computed_stay():
    body = "c = Relu(b) y = NonMaxSuppression(c, s, k, i, t)"
    assert refusal(RULE, text(1, body)) == "it is of one picture, and of corners"
