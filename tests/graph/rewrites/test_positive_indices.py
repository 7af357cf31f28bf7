import numpy as np

from mobileq.graph.rewrites.positive_indices import ALL, RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed, whole

GATHERED = "m (float[6,5] x, int64[6,2] i) => (float[6,2] y) { y = GatherElements<axis=1>(x, i) }"


def test_indices_that_are_given_count_from_the_front() -> None:
    indices = whole("int64", -5, 5, (6, 2))
    assert (indices < 0).any()
    assert ops(rewritten(RULE, GATHERED, signed(6, 5), indices)) > {"GatherElements", "Greater"}


def test_indices_in_the_model_count_from_the_front_without_more_nodes() -> None:
    text = (
        "m (float[1,5] x) => (float[1,2] y) <int64[1,2] i = {-1, 2}>"
        " { y = GatherElements<axis=1>(x, i) }"
    )
    assert ops(rewritten(RULE, text, signed(1, 5))) == {"GatherElements"}


def test_indices_that_the_graph_computes_stay_but_in_mnn() -> None:
    text = (
        "m (float[1,5] x, int64[1,2] a) => (float[1,2] y)"
        " { i = Neg(a) y = GatherElements<axis=1>(x, i) }"
    )
    assert refusal(RULE, text) == "the graph computes them"
    assert "Greater" in ops(rewritten(ALL, text, signed(1, 5), np.array([[1, 4]])))
