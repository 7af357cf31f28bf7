from __future__ import annotations

import numpy as np
import onnx
import pytest

from mobileq.progress import Silent
from mobileq.quantize.repairs.input_scaling import scale_inputs

from .conftest import Samples, int8_sqnr, network, ranges_over, run


def test_uneven_channels_lose_less_in_int8(
    uneven: onnx.ModelProto, samples: Samples, silent: Silent
) -> None:
    reference, ranges_of = run(uneven, samples), ranges_over(samples)
    made = scale_inputs(uneven, samples, silent)
    before = int8_sqnr(uneven, reference, samples, ranges_of(uneven))
    after = int8_sqnr(made, reference, samples, ranges_of(made))
    assert after > before + 6.0
    for wanted, found in zip(reference, run(made, samples), strict=True):
        np.testing.assert_allclose(found["y"], wanted["y"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("opset", [13, 17, 18])
def test_relu_needs_no_op_more(samples: Samples, silent: Silent, opset: int) -> None:
    generator = np.random.default_rng(5)
    sizes = np.geomspace(0.1, 30.0, 8).reshape(-1, 1, 1, 1)
    weights = {
        "w1": generator.normal(size=(8, 8, 1, 1)) * sizes,
        "w2": generator.normal(size=(8, 1, 1, 1)) / sizes,
    }
    model = network("c = Conv(x, w1) r = Relu(c) y = Conv <group = 8> (r, w2)", weights, opset)
    made = scale_inputs(model, samples, silent)
    assert [n.op_type for n in made.graph.node] == [n.op_type for n in model.graph.node]
    high = ranges_over(samples)
    assert high(made)["r"].max == pytest.approx(high(model)["r"].max, rel=0.03)
    assert made != model


def test_even_channels_stay_as_they_are(samples: Samples, silent: Silent) -> None:
    eye = np.eye(8).reshape(8, 8, 1, 1)
    body = "c = Conv(x, w) s = Sigmoid(c) m = Mul(c, s) y = Conv(m, v)"
    model = network(body, {"w": eye, "v": eye})
    assert scale_inputs(model, samples, silent) == model


def test_dead_channels_and_dead_layers_do_no_harm(samples: Samples, silent: Silent) -> None:
    weights = np.random.default_rng(6).normal(size=(8, 8, 1, 1))
    weights[3] = 0.0
    body = "c = Conv(x, w) r = Relu(c) d = Conv(r, z) y = Conv(d, w3)"
    model = network(body, {"w": weights, "z": np.zeros_like(weights), "w3": np.ones_like(weights)})
    (found,) = run(scale_inputs(model, samples, silent), samples[:1])
    assert np.isfinite(found["y"]).all()


def test_channels_that_others_reach_beyond_are_scaled_to_them(
    samples: Samples, silent: Silent
) -> None:
    """PicoDet's first stages: behind a hard swish a few channels reach far, and beside them in a
    concatenation are some that do not."""
    generator = np.random.default_rng(8)
    sizes = np.array([40, 30, 1, 1, 1, 1, 1, 1]).reshape(-1, 1, 1, 1)
    weights = {
        "w1": generator.normal(size=(8, 8, 1, 1)) * sizes,
        "w2": generator.normal(size=(8, 8, 1, 1)),
        "v": generator.normal(size=(16, 1, 3, 3)) / np.concatenate([sizes, np.ones_like(sizes)]),
        "w3": generator.normal(size=(8, 16, 1, 1)),
    }
    body = """c = Conv(x, w1) h = HardSwish(c) d = Conv(x, w2) k = HardSwish(d)
        j = Concat <axis = 1> (h, k) e = Conv <group = 16> (j, v) y = Conv(e, w3)"""
    model = onnx.shape_inference.infer_shapes(network(body, weights))
    reference, ranges_of = run(model, samples), ranges_over(samples)
    made = scale_inputs(model, samples, silent)
    ranges = ranges_of(made)
    assert ranges["h"].max < 1.1 * ranges["k"].max
    assert [node.op_type for node in made.graph.node].count("HardSwish") == 1
    before = int8_sqnr(model, reference, samples, ranges_of(model))
    assert int8_sqnr(made, reference, samples, ranges) > before + 10.0
