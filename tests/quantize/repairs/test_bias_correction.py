from __future__ import annotations

import numpy as np
import onnx

from mobileq.progress import Silent
from mobileq.quantize.repairs.bias_correction import correct_bias, correct_weight_shift
from mobileq.quantize.repairs.layerwise import Layer, revise_layers, rounded
from mobileq.spec import TensorRange

from .conftest import Samples, ranges_over, run, run_int8


def test_mean_of_each_channel_is_the_float_models_again(
    uneven: onnx.ModelProto, samples: Samples
) -> None:
    ranges, reference = ranges_over(samples)(uneven), run(uneven, samples)
    made = revise_layers(uneven, samples, ranges, (), correct_bias, Silent(), "")

    def shift(model: onnx.ModelProto) -> float:
        outputs = run_int8(model, samples, ranges)
        errors = [
            found["y"] - wanted["y"] for found, wanted in zip(outputs, reference, strict=True)
        ]
        return float(np.abs(np.mean(errors, axis=(0, 1, 3, 4))).max())

    assert shift(made) < 0.3 * shift(uneven)
    weights = {tensor.name: tensor for tensor in uneven.graph.initializer}
    assert all(t == weights[t.name] for t in made.graph.initializer if t.name[0] == "w")


def test_what_weights_shift_goes_and_what_clipping_shifts_stays(
    uneven: onnx.ModelProto, samples: Samples
) -> None:
    name = uneven.graph.node[0].output[0]
    clipped = ranges_over(samples)(uneven)
    clipped[name] = TensorRange(min=clipped[name].min / 4, max=clipped[name].max / 4)
    kept = {}

    def both(layer: Layer) -> tuple[np.ndarray, np.ndarray]:
        weights, bias = correct_weight_shift(layer)
        outputs = layer.convolve(layer.found, layer.weights, layer.bias)
        made = layer.convolve(layer.found, rounded(weights), bias)
        kept[layer.node.output[0]] = float(np.abs(_mean(outputs) - _mean(made)).max())
        np.testing.assert_array_equal(weights, layer.weights)
        return weights, bias

    def _mean(outputs: list[np.ndarray]) -> np.ndarray:
        return np.mean([each.mean(axis=(0, 2, 3)) for each in outputs], axis=0)

    made = revise_layers(uneven, samples, clipped, (), both, Silent(), "")
    assert kept
    assert max(kept.values()) < 1e-5
    full = revise_layers(uneven, samples, clipped, (), correct_bias, Silent(), "")
    assert made != full
