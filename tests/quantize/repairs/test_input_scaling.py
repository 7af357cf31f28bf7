from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from .conftest import Samples, int8_sqnr, network, ranges_over, run, scaled


def test_uneven_channels_lose_less_in_int8(uneven: onnx.ModelProto, samples: Samples) -> None:
    reference, ranges_of = run(uneven, samples), ranges_over(samples)
    made = scaled(uneven, samples)
    before = int8_sqnr(uneven, reference, samples, ranges_of(uneven))
    after = int8_sqnr(made, reference, samples, ranges_of(made))
    assert after > before + 6.0
    for wanted, found in zip(reference, run(made, samples), strict=True):
        np.testing.assert_allclose(found["y"], wanted["y"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("opset", [13, 17, 18])
def test_relu_needs_no_op_more(samples: Samples, opset: int) -> None:
    generator = np.random.default_rng(5)
    sizes = np.geomspace(0.1, 30.0, 8).reshape(-1, 1, 1, 1)
    weights = {
        "w1": generator.normal(size=(8, 8, 1, 1)) * sizes,
        "w2": generator.normal(size=(8, 1, 1, 1)) / sizes,
    }
    model = network("c = Conv(x, w1) r = Relu(c) y = Conv <group = 8> (r, w2)", weights, opset)
    made = scaled(model, samples)
    assert [n.op_type for n in made.graph.node] == [n.op_type for n in model.graph.node]
    high = ranges_over(samples)
    assert high(made)["r"].max == pytest.approx(high(model)["r"].max, rel=0.03)
    assert made != model


def test_even_channels_stay_as_they_are(samples: Samples) -> None:
    eye = np.eye(8).reshape(8, 8, 1, 1)
    body = "c = Conv(x, w) s = Sigmoid(c) m = Mul(c, s) y = Conv(m, v)"
    model = network(body, {"w": eye, "v": eye})
    assert scaled(model, samples) == model


def test_dead_channels_and_dead_layers_do_no_harm(samples: Samples) -> None:
    weights = np.random.default_rng(6).normal(size=(8, 8, 1, 1))
    weights[3] = 0.0
    body = "c = Conv(x, w) r = Relu(c) d = Conv(r, z) y = Conv(d, w3)"
    model = network(body, {"w": weights, "z": np.zeros_like(weights), "w3": np.ones_like(weights)})
    (found,) = run(scaled(model, samples), samples[:1])
    assert np.isfinite(found["y"]).all()


def test_channels_that_others_reach_beyond_are_scaled_to_them(samples: Samples) -> None:
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
    made = scaled(model, samples)
    ranges = ranges_of(made)
    assert ranges["h"].max < 1.1 * ranges["k"].max
    assert [node.op_type for node in made.graph.node].count("HardSwish") == 1
    before = int8_sqnr(model, reference, samples, ranges_of(model))
    assert int8_sqnr(made, reference, samples, ranges) > before + 10.0


WIDE = np.array([32.0, 1, 1, 1, 1, 1, 1, 1])
"""How far channels reach."""


def swish() -> onnx.ModelProto:
    generator = np.random.default_rng(9)
    weights = {
        "w": generator.normal(size=(8, 8, 1, 1)) * WIDE.reshape(-1, 1, 1, 1),
        "v": generator.normal(size=(8, 8, 1, 1)),
    }
    body = "c = Conv(x, w) s = Sigmoid(c) m = Mul(c, s) y = Conv(m, v)"
    return onnx.shape_inference.infer_shapes(network(body, weights))


def counted(channels: np.ndarray) -> dict[str, np.ndarray]:
    """Squares of the gradients, where these channels count."""
    return {"c": channels, "m": channels, "y": np.full(8, 1e-3)}


def test_channels_that_count_get_the_levels(samples: Samples) -> None:
    model, narrow = swish(), np.float64(WIDE == 1)
    made = scaled(model, samples, counted(narrow))
    assert [node.op_type for node in made.graph.node].count("Conv") == 3
    for wanted, found in zip(run(model, samples), run(made, samples), strict=True):
        np.testing.assert_allclose(found["y"], wanted["y"], rtol=1e-3, atol=1e-3)
    # The widest has all levels already, whatever the others' noise.
    assert scaled(model, samples, counted(1 - narrow)) == model


def test_channels_may_reach_further_in_other_pictures(samples: Samples) -> None:
    model = swish()
    made = scaled(model, samples, counted(np.float64(WIDE == 1)))
    before, after = (
        numpy_helper.to_array(next(each for each in one.graph.initializer if each.name == "w"))
        for one in (model, made)
    )
    factors = (after / before).max(axis=(1, 2, 3))
    watched = ranges_by_channel(model, samples)
    assert factors[0] == pytest.approx(1, rel=1e-5)
    assert factors[1:].min() > 2
    # Half of what the widest reaches, for a channel that had a thirty-second of it.
    assert (factors * watched)[1:].max() < 0.6 * watched[0]


def ranges_by_channel(model: onnx.ModelProto, samples: Samples) -> np.ndarray:
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.append(onnx.ValueInfoProto(name="m"))
    return np.max([np.abs(each["m"]).max(axis=(0, 2, 3)) for each in run(watched, samples)], 0)


def test_an_op_more_that_takes_little_of_the_error_away_is_not_worth_it(samples: Samples) -> None:
    """Beside another tensor that has nearly all of the error."""
    generator = np.random.default_rng(3)
    weights = {
        "w": generator.normal(size=(8, 8, 1, 1)) * WIDE.reshape(-1, 1, 1, 1),
        "v": generator.normal(size=(8, 8, 1, 1)),
        "u": generator.normal(size=(8, 8, 1, 1)),
    }
    body = """c = Conv(x, w) s = Sigmoid(c) m = Mul(c, s) d = Conv(m, v) r = Relu(d)
        y = Conv(r, u)"""
    model = onnx.shape_inference.infer_shapes(network(body, weights))
    narrow = np.float64(WIDE == 1)
    squares = counted(narrow) | {"d": np.ones(8), "r": np.ones(8)}
    assert scaled(model, samples, squares) != model
    squares |= {"c": narrow * 1e-6, "m": narrow * 1e-6}
    made = scaled(model, samples, squares)
    assert len(made.graph.node) == len(model.graph.node)


def test_weights_on_a_grid_stay_there(samples: Samples) -> None:
    """Of a model that came out of integers."""
    model = swish()
    tensor = next(each for each in model.graph.initializer if each.name == "v")
    weights = numpy_helper.to_array(tensor)
    steps = np.abs(weights).max(axis=(1, 2, 3), keepdims=True) / 127
    on_grid = (np.round(weights / steps) * steps).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(on_grid, "v"))
    assert scaled(model, samples, counted(np.float64(WIDE == 1))) == model
