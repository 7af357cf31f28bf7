from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from mobileq.quantize.repairs.compensated_rounding import round_about_means
from mobileq.quantize.repairs.layerwise import rounded

from .conftest import Samples, network, ranges_over, revise_layers, run

SHAPE = (8, 8, 3, 3)


@pytest.fixture
def layer() -> onnx.ModelProto:
    weights = np.random.default_rng(7).normal(size=SHAPE)
    return network("y = Conv <pads = [1, 1, 1, 1]> (x, w, b)", {"w": weights, "b": np.ones(8)})


@pytest.fixture
def bright(samples: Samples) -> Samples:
    """Never near zero, and places side by side alike: the mean outweighs what varies."""
    smooth = [np.repeat(np.repeat(each["x"][..., ::3, ::3], 3, 2), 3, 3) for each in samples]
    return [{"x": (np.abs(each) + 2).astype(np.float32)} for each in smooth]


def values(model: onnx.ModelProto, name: str) -> np.ndarray:
    return next(numpy_helper.to_array(t) for t in model.graph.initializer if t.name == name)


def errors(model: onnx.ModelProto, made: onnx.ModelProto, samples: Samples) -> np.ndarray:
    """[samples, channels, height, width]"""
    pairs = zip(run(made, samples), run(model, samples), strict=True)
    return np.concatenate([after["y"] - before["y"] for after, before in pairs])


def test_errors_cancel_about_the_mean_and_the_bias_takes_that(
    layer: onnx.ModelProto, bright: Samples
) -> None:
    made = revise_layers(layer, bright[:4], ranges_over(bright)(layer), (), round_about_means)
    weights = values(made, "w")
    np.testing.assert_allclose(rounded(weights), weights, rtol=1e-5, atol=1e-7)
    nearest = onnx.ModelProto()
    nearest.CopyFrom(layer)
    plain = numpy_helper.from_array(rounded(values(layer, "w")), "w")
    nearest.graph.initializer[0].CopyFrom(plain)
    # On pictures that were not looked at.
    ours, theirs = (errors(layer, each, bright[4:]) for each in (made, nearest))
    assert np.square(ours).mean() < 0.25 * np.square(theirs).mean()
    spread = [each.std(axis=(0, 2, 3)).mean() for each in (ours, theirs)]
    assert spread[0] < 0.9 * spread[1]


def test_a_float_layer_with_many_weights_has_them_in_8_bits(samples: Samples) -> None:
    generator = np.random.default_rng(8)
    model = network(
        "h = Conv (x, w1) y = Conv (h, w2)",
        {
            "w1": generator.normal(size=(1024, 8, 1, 1)),
            "w2": generator.normal(size=(8, 1024, 1, 1)),
        },
    )
    ranges = ranges_over(samples)(model)
    made = revise_layers(model, samples[:2], ranges, ("h", "y"), round_about_means)
    for name in ("w1", "w2"):
        found = values(made, name)
        assert np.any(found != values(model, name))
        np.testing.assert_allclose(rounded(found), found, rtol=1e-4, atol=1e-6)
    small = network("y = Conv (x, w)", {"w": generator.normal(size=(8, 8, 1, 1))})
    kept = revise_layers(small, samples[:2], ranges_over(samples)(small), ("y",), round_about_means)
    np.testing.assert_array_equal(values(kept, "w"), values(small, "w"))
