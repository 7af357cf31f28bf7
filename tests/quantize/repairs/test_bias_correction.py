from __future__ import annotations

import numpy as np
import onnx

from mobileq.quantize.repairs.bias_correction import correct_bias

from .conftest import Samples, ranges_over, revise_layers, run, run_int8


def test_mean_of_each_channel_is_the_float_models_again(
    uneven: onnx.ModelProto, samples: Samples
) -> None:
    ranges, reference = ranges_over(samples)(uneven), run(uneven, samples)
    made = revise_layers(uneven, samples, ranges, (), correct_bias)

    def shift(model: onnx.ModelProto) -> float:
        outputs = run_int8(model, samples, ranges)
        errors = [
            found["y"] - wanted["y"] for found, wanted in zip(outputs, reference, strict=True)
        ]
        return float(np.abs(np.mean(errors, axis=(0, 1, 3, 4))).max())

    assert shift(made) < 0.3 * shift(uneven)
    weights = {tensor.name: tensor for tensor in uneven.graph.initializer}
    assert all(t == weights[t.name] for t in made.graph.initializer if t.name[0] == "w")
