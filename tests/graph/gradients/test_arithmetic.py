import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.graph.builders import ints
from tests.graph.gradients.finite_differences import check_text

SHAPES = st.sampled_from(
    [((2, 3, 4), (3, 1)), ((2, 3, 4), (2, 1, 4)), ((4,), (2, 3, 4)), ((2, 1, 4), (1, 3, 1)),
     ((2, 3), ()), ((1, 1), (2, 3)), ((3, 2), (3, 2))]
)  # fmt: skip


def typed(shape: tuple[int, ...]) -> str:
    return f"float[{','.join(map(str, shape))}]" if shape else "float"


@given(st.sampled_from(["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean"]), SHAPES)
def test_broadcasting(op, shapes):
    whole = typed(np.broadcast_shapes(*shapes))
    text = f"""m ({typed(shapes[0])} a, {typed(shapes[1])} b) => ({whole} y) {{
        z = {op}(a, b) y = Mul(z, z) }}"""
    check_text(text, low=0.5, high=4, step=2e-3)


@pytest.mark.parametrize("exponent", [[2.0], [3.0], [0.5], [-1.0], [1.0, 2.0, 3.0]])
def test_powers(exponent):
    text = "m (float[2,3] x) => (float[2,3] y) { y = Pow(x, p) }"
    check_text(text, {"p": np.array(exponent, np.float32)}, low=0.5, high=3)


def test_square_of_negative_numbers():
    check_text("m (float[2,3] x) => (float[2,3] y) <float p = {2.0}> { y = Pow(x, p) }")


@pytest.mark.parametrize("op", ["Max", "Min"])
def test_of_equal_ones_the_first_has_the_gradient(op):
    text = f"""m (float[2,3] x, float[3] a, float[2,1] b) => (float[2,3] y) {{
        s = Sigmoid(a) y = {op}(x, s, b, x) }}"""
    check_text(text, step=1e-3)


def test_where():
    text = """m (float[2,3] a, float[3] b) => (float[2,3] y) <float zero = {0.0}> {
        c = Greater(a, zero) s = Mul(a, a) y = Where(c, s, b) }"""
    check_text(text, low=-2.03, step=1e-3)


def test_expand():
    text = "m (float[3,1] x) => (float[2,3,4] y) { e = Expand(x, to) y = Mul(e, e) }"
    check_text(text, {"to": ints(2, 3, 4)})
