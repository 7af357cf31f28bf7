import numpy as np
import pytest

from mobileq.graph.rewrites.integer_products import RULE
from tests.graph.rewrites.rewriting import ops, rewritten, whole


@pytest.mark.parametrize(
    ("zeros", "shapes"), [("", []), ("az,", [()]), ("az,bz", [(1,), (5,)]), ("az,bz", [(), (1,)])]
)
def test_product_of_matrices(zeros, shapes):
    declared = [
        f", uint8{list(shape) or ''} {name}"
        for shape, name in zip(shapes, ("az", "bz"), strict=False)
    ]
    taken = f"a, b, {zeros}".rstrip(", ")
    text = (
        f"m (uint8[2,3,4] a, uint8[4,5] b{''.join(declared)}) => (int32[2,3,5] y)"
        f"{{ y = MatMulInteger({taken}) }}"
    )
    given = [whole("uint8", 0, 256, shape) for shape in ((2, 3, 4), (4, 5), *shapes)]
    assert "MatMulInteger" not in ops(rewritten(RULE, text, *given, atol=0))


def test_what_a_convolution_pads_with_is_nothing():
    text = """m (uint8[1,2,5,5] x, uint8[3,2,3,3] w, uint8 z) => (int32[1,3,5,5] y)
    { y = ConvInteger<pads=[1,1,1,1]>(x, w, z) }"""
    x, w = whole("uint8", 0, 256, (1, 2, 5, 5)), whole("uint8", 0, 256, (3, 2, 3, 3))
    rewritten(RULE, text, x, w, np.array(7, np.uint8), atol=0)
