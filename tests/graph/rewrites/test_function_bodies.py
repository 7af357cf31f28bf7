import numpy as np
import onnx
from onnx import numpy_helper

from mobileq.graph.rewrites.function_bodies import inline_bodies
from mobileq.graph.trial_run import run
from tests.graph.rewrites.rewriting import ops, parsed, signed


def test_operator_of_the_standard_becomes_its_body():
    text = "m (float[2,6] x) => (float[2,6] y) { y = RMSNormalization<axis=1>(x, w) }"
    text = text.replace("{ y", "<float[6] w = {1.0, 2.0, 0.5, 1.0, -1.0, 0.1}> { y", 1)
    model = parsed(text, opset=23)
    inlined = inline_bodies(model)
    onnx.checker.check_model(inlined, full_check=True)
    assert "RMSNormalization" not in ops(inlined)
    x = signed(2, 6)
    weights = numpy_helper.to_array(model.graph.initializer[0])
    wanted = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-5) * weights
    np.testing.assert_allclose(run(inlined, {"x": x})["y"], wanted, rtol=1e-5, atol=1e-6)


def test_others_stay():
    model = parsed("m (float[2] x) => (float[2] y) { y = Relu(x) }")
    assert inline_bodies(model) is model
