import numpy as np
import pytest

from mobileq.graph.rewrites.boolean_reduction import RULE
from tests.graph.rewrites.rewriting import refusal, rewritten


@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin"])
def test_truth_values_are_numbers(op):
    text = f"""m (bool[2,3] x) => (bool[2,1] y) <int64[1] a = {{1}}>
        {{ y = {op}<keepdims=1>(x, a) }}"""
    values = np.array([[True, False, True], [False, False, False]])
    rewritten(RULE, text, values, opset=20)


def test_numbers_stay():
    text = "m (float[2,3] x) => (float[1,1] y) { y = ReduceMax(x) }"
    assert refusal(RULE, text, opset=20) == "it is of numbers"
