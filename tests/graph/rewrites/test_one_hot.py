import numpy as np
import pytest

from mobileq.graph.rewrites.one_hot import RULE
from tests.graph.rewrites.rewriting import ops, rewritten


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize("kind", ["int64", "float"])
def test_indices_become_rows(axis, kind):
    text = f"""m ({kind}[2,3] i, float[2] v) => (float[?,?,?] y) <{kind} d = {{5}}>
        {{ y = OneHot<axis={axis}>(i, d, v) }}"""
    indices = np.array([[0, 4, -1], [-5, 2, 3]], "float32" if kind == "float" else kind)
    values = np.array([0.5, 3.0], np.float32)
    assert "OneHot" not in ops(rewritten(RULE, text, indices, values, opset=13))
