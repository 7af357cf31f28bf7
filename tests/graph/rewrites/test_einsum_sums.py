import pytest

from mobileq.graph.rewrites.einsum_sums import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed


@pytest.mark.parametrize(
    ("equation", "shape"),
    [
        ("ij->ji", (3, 4)),
        ("ij->i", (3, 4)),
        ("ijk->", (2, 3, 4)),
        ("...ii->...i", (2, 3, 5, 5)),
        ("ji", (3, 4)),
        ("iij->j", (3, 3, 2)),
    ],
)
def test_one_operand_is_summed(equation, shape):
    text = f"""m (float[{",".join(map(str, shape))}] x) => (float[?] y)
        {{ y = Einsum<equation="{equation}">(x) }}"""
    out = equation.partition("->")
    rank = len(out[2].replace("...", "AB")) if out[1] else 2
    text = text.replace("float[?]", f"float[{','.join('?' * rank)}]" if rank else "float")
    assert "Einsum" not in ops(rewritten(RULE, text, signed(*shape)))


def test_vectors_are_multiplied():
    text = 'm (float[5] a, float[5] b) => (float y) { y = Einsum<equation="i,i">(a, b) }'
    rewritten(RULE, text, signed(5), signed(5))


def test_matrix_products_stay():
    text = """m (float[2,3] a, float[3,4] b) => (float[2,4] y)
        { y = Einsum<equation="ij,jk->ik">(a, b) }"""
    assert refusal(RULE, text) == "it is a product of matrices"
