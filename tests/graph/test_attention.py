from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto

from mobileq.graph.attention import weights_first
from mobileq.graph.shapes import infer_shapes
from mobileq.graph.trial_run import random_inputs, run

from .builders import model_of


def attention(turn: str = "perm = [0, 2, 1]", values: str = "x", extra: str = "") -> ModelProto:
    body = f"""s = Softmax(x)
            t = Transpose<{turn}>(s)
            y = MatMul({values}, t)
            z = Identity({extra or "y"})"""
    weights = {"w": np.ones((6, 6), np.float32)}
    return infer_shapes(
        model_of(f"g (float[2,6,6] x) => (float[2,6,6] y, float[2,6,6] z) {{ {body} }}", weights)
    )


@pytest.mark.parametrize("extra", ["", "t"])
def test_softmax_becomes_the_first_factor_with_the_same_result(extra: str) -> None:
    model = attention(extra=extra)
    found = weights_first(model)
    (product,) = [node for node in found.graph.node if node.op_type == "MatMul"]
    assert product.input[0] == "s"
    assert [node.op_type for node in found.graph.node].count("Transpose") == (3 if extra else 2)
    inputs = random_inputs(model, 1)
    before, after = run(model, inputs), run(found, inputs)
    for name in ("y", "z"):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-5)


@pytest.mark.parametrize("model", [attention("perm = [2, 1, 0]"), attention(values="w")])
def test_other_products_stay_as_they_are(model: ModelProto) -> None:
    assert weights_first(model) == model
