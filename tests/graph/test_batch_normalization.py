from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto

from mobileq.graph.batch_normalization import as_depthwise
from mobileq.graph.shapes import infer_shapes
from mobileq.graph.trial_run import random_inputs, run

from .builders import model_of


def normalization(shape: str = "2,3,4,5", options: str = "<epsilon = 0.01>") -> ModelProto:
    draw = np.random.default_rng(3)
    named = {name: draw.uniform(0.5, 2, 3).astype(np.float32) for name in "sbmv"}
    body = f"y = BatchNormalization{options}(x, s, b, m, v)"
    return infer_shapes(model_of(f"g (float[{shape}] x) => (float[{shape}] y) {{ {body} }}", named))


@pytest.mark.parametrize("options", ["", "<epsilon = 0.01>"])
def test_normalization_becomes_a_depthwise_convolution_with_the_same_result(options: str) -> None:
    model = normalization(options=options)
    found = as_depthwise(model)
    (node,) = found.graph.node
    assert node.op_type == "Conv"
    assert [(tensor.name, list(tensor.dims)) for tensor in found.graph.initializer] == [
        ("y/factor", [3, 1, 1, 1]),
        ("y/term", [3]),
    ]
    inputs = random_inputs(model, 1)
    np.testing.assert_allclose(
        run(found, inputs)["y"], run(model, inputs)["y"], rtol=1e-5, atol=1e-6
    )


def test_normalization_of_another_rank_stays_as_it_is() -> None:
    model = normalization("2,3,4")
    assert as_depthwise(model) == model


def test_constant_that_another_op_takes_is_kept() -> None:
    model = normalization()
    model.graph.output.append(model.graph.output[0])
    model.graph.output[1].name = "s"
    assert "s" in {tensor.name for tensor in as_depthwise(model).graph.initializer}
