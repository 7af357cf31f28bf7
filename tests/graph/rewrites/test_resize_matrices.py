import pytest

from mobileq.graph.rewrites.resize_matrices import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed


@pytest.mark.parametrize(
    "attributes",
    [
        'mode="cubic"',
        'mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1',
        'mode="linear", antialias=1',
        'mode="nearest", nearest_mode="ceil"',
        'mode="cubic", coordinate_transformation_mode="align_corners"',
    ],
)
def test_unusual_ways_are_matrices(attributes):
    text = f"""m (float[1,2,7,9] x) => (float[?,?,?,?] y) <float[4] s = {{1.0, 1.0, 0.6, 1.7}}>
        {{ y = Resize<{attributes}>(x, , s) }}"""
    assert "Resize" not in ops(rewritten(RULE, text, signed(1, 2, 7, 9), opset=18))


def test_scales_that_do_not_divide_are_kept():
    text = """m (float[1,1,5,5] x) => (float[?,?,?,?] y) <float[4] s = {1.0, 1.0, 0.7, 0.7}>
        { y = Resize<mode="linear">(x, , s) }"""
    rewritten(RULE, text, signed(1, 1, 5, 5), opset=18)


def test_axes_may_come_in_any_order():
    text = """m (float[1,1,4,6] x) => (float[?,?,?,?] y) <float[2] s = {2.0, 3.0}>
        { y = Resize<mode="nearest", axes=[3,2]>(x, , s) }"""
    rewritten(RULE, text, signed(1, 1, 4, 6), opset=18)


def test_usual_way_stays():
    text = """m (float[1,3,8,8] x) => (float[?,?,?,?] y) <float[4] s = {1.0, 1.0, 2.0, 2.0}>
        { y = Resize<mode="nearest", coordinate_transformation_mode="asymmetric",
                     nearest_mode="floor">(x, , s) }"""
    assert refusal(RULE, text) == "runtimes know it"
