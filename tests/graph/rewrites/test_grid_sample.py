import numpy as np
import pytest

from mobileq.graph.rewrites.grid_sample import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed

PLACES = np.random.default_rng(5).uniform(-2.3, 2.3, (2, 4, 5, 2)).astype(np.float32)


@pytest.mark.parametrize("aligned", [0, 1])
@pytest.mark.parametrize(
    ("mode", "padding"),
    [
        ("nearest", "reflection"),
        ("bilinear", "reflection"),
        ("bicubic", "zeros"),
        ("bicubic", "border"),
        ("bicubic", "reflection"),
    ],
)
def test_pixels_about_each_place_are_taken_with_their_weights(mode, padding, aligned):
    text = (
        "m (float[2,3,6,4] x, float[2,4,5,2] g) => (float[2,3,4,5] y) { y = GridSample"
        f'<mode="{mode}", padding_mode="{padding}", align_corners={aligned}>(x, g) }}'
    )
    result = rewritten(RULE, text, signed(2, 3, 6, 4), PLACES, atol=5e-6)
    assert "GridSample" not in ops(result)


@pytest.mark.parametrize("aligned", [0, 1])
def test_nearest_over_three_axes(aligned):
    text = (
        "m (float[1,2,3,4,5] x, float[1,2,3,2,3] g) => (float[1,2,2,3,2] y) { y = GridSample"
        f'<mode="nearest", align_corners={aligned}>(x, g) }}'
    )
    places = np.random.default_rng(3).uniform(-1.2, 1.2, (1, 2, 3, 2, 3)).astype(np.float32)
    result = rewritten(RULE, text, signed(1, 2, 3, 4, 5), places, opset=20)
    assert "GridSample" not in ops(result)


def test_linear_with_zeros_stays():
    text = "m (float[1,2,3,4] x, float[1,2,2,2] g) => (float[1,2,2,2] y) { y = GridSample(x, g) }"
    assert refusal(RULE, text) == "converters know it"
