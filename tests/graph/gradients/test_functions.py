import pytest

from tests.graph.gradients.finite_differences import check_text

SMOOTH = [
    "Sigmoid", "Tanh", "Softplus", "Softsign", "Erf", "Exp", "Neg", "Identity", "Dropout",
    "Sin", "Cos", "Mish",
]  # fmt: skip
CORNERED = [
    "Relu", "LeakyRelu", "LeakyRelu<alpha = 3.0>", "LeakyRelu<alpha = -0.5>", "Elu",
    "Elu<alpha = 0.5>", "Celu", "Celu<alpha = 0.7>", "Selu", "Abs", "HardSigmoid",
    "HardSigmoid<alpha = 0.4, beta = 0.3>", "HardSwish", "ThresholdedRelu<alpha = 0.5>",
]  # fmt: skip


def one_op(op: str, more: str = "", ends: str = "") -> str:
    """Whose input is read twice, so that the derivative counts where the values are."""
    name, _, attributes = op.partition("<")
    attributes = f"<{attributes}" if attributes else ""
    return f"""m (float[2,3,4] x{more}) => (float[2,3,4] y) {{
        z = {name}{attributes}(x{ends}) y = Mul(z, x) }}"""


@pytest.mark.parametrize("op", SMOOTH)
def test_smooth_functions(op):
    check_text(one_op(op), opset=18)


@pytest.mark.parametrize("op", CORNERED)
def test_functions_with_corners(op):
    check_text(one_op(op), opset=18, low=-4.03, high=4.01, step=1e-3)


@pytest.mark.parametrize("op", ["Log", "Sqrt", "Reciprocal"])
def test_functions_of_positive_numbers(op):
    check_text(one_op(op), low=0.5, high=3)


@pytest.mark.parametrize("op", ["Gelu", 'Gelu<approximate = "tanh">'])
def test_gelu(op):
    check_text(one_op(op), opset=20)


@pytest.mark.parametrize(
    ("low", "high"), [("", "c"), ("a", ""), ("a", "c"), ("", ""), ("a", "vast"), ("zero", "c")]
)
def test_clip(low, high):
    limits = "<float a = {-0.73}, float c = {1.31}, float zero = {0.0}, float vast = {1e38}>"
    text = f"""m (float[2,3,4] x) => (float[2,3,4] y) {limits} {{
        z = Clip(x, {low}, {high}) y = Mul(z, x) }}"""
    check_text(text, step=1e-3)


def test_slopes_per_channel():
    text = """m (float[2,3,4] x) => (float[2,3,4] y) <float[3,1] s = {0.1, -0.5, 2.0}>
        { y = PRelu(x, s) }"""
    check_text(text, step=1e-3)


def test_cast_between_floats():
    text = """m (float[2,3] x) => (float[2,3] y) {
        d = Cast<to = 11>(x) t = Tanh(d) e = Mul(t, d) y = Cast<to = 1>(e) }"""
    check_text(text)
