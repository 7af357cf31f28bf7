from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from mobileq.progress import Silent
from mobileq.quantize.groups import find_groups
from mobileq.quantize.repairs.layerwise import rounded_for
from mobileq.quantize.repairs.weight_shift import correct_weight_shift, weight_shifts
from mobileq.quantize.simulate import Simulator
from mobileq.spec import TensorRange

from .conftest import Samples, int8_sqnr, network, ranges_over, run

LAYERS = """a = Conv <pads = [1, 1, 1, 1]> (x, w1)
    b = Conv <group = 8, strides = [2, 2], pads = [1, 1, 1, 1]> (x, w2, shared)
    c = Conv (x, w3, shared)
    d = ConvTranspose <strides = [2, 2]> (x, w4, own)
    f = Flatten (x)
    e = Gemm <transB = 1> (f, w5, own)"""
"""All kinds that have a bias, side by side: what is off in one is its own weights' doing."""


@pytest.fixture
def layers() -> onnx.ModelProto:
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]>\n'
        "g (float[1,8,12,12] x) => (float[1,8,12,12] a, float[1,8,6,6] b, float[1,8,12,12] c, "
        "float[1,8,24,24] d, float[1,8] e) "
        f"{{ {LAYERS} }}"
    )
    generator = np.random.default_rng(5)
    shapes = {
        "w1": (8, 8, 3, 3),
        "w2": (8, 1, 3, 3),
        "w3": (8, 8, 1, 1),
        "w4": (8, 8, 2, 2),
        "w5": (8, 8 * 12 * 12),
        "shared": (8,),
        "own": (8,),
    }
    for name, shape in shapes.items():
        values = generator.normal(size=shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    return model


@pytest.fixture
def bright(samples: Samples) -> Samples:
    """Never negative, as behind a ReLU: errors of weights add up."""
    return [{"x": np.abs(feeds["x"])} for feeds in samples]


def means(model: onnx.ModelProto, samples: Samples) -> dict[str, Any]:
    """{output: what each of its channels is on average}"""
    found = run(model, samples)
    return {
        name: np.mean([each[name].reshape(8, -1).mean(axis=1) for each in found], axis=0)
        for name in found[0]
    }


def with_rounded_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """In float, but for what 8 bits make of the weights."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    takers = {node.input[1]: node for node in made.graph.node if len(node.input) > 1}
    for tensor in made.graph.initializer:
        if tensor.name in takers:
            values = numpy_helper.to_array(tensor)
            tensor.CopyFrom(
                numpy_helper.from_array(rounded_for(takers[tensor.name], values), tensor.name)
            )
    return made


def test_means_of_all_channels_are_the_float_models_with_rounded_weights(
    layers: onnx.ModelProto, bright: Samples
) -> None:
    wanted = means(layers, bright)
    before = means(with_rounded_weights(layers), bright)
    made = correct_weight_shift(layers, bright, ranges_over(bright)(layers), (), Silent())
    after = means(with_rounded_weights(made), bright)
    for name, right in wanted.items():
        assert np.abs(before[name] - right).max() > 1e-3
        np.testing.assert_allclose(after[name], right, atol=2e-5)
    known = {tensor.name: tensor for tensor in made.graph.initializer}
    assert all(known[t.name] == t for t in layers.graph.initializer if t.name[0] == "w")


def test_what_stays_float_stays_but_for_weights_so_many_that_they_have_8_bits(
    layers: onnx.ModelProto, bright: Samples
) -> None:
    ranges, wanted = ranges_over(bright)(layers), means(layers, bright)

    def changed(*keep_float: str) -> set[str]:
        made = correct_weight_shift(layers, bright, ranges, keep_float, Silent())
        found = means(made, bright)
        return {name for name in wanted if not np.array_equal(wanted[name], found[name])}

    assert changed() == {"a", "b", "c", "d", "e"}
    assert changed("b", "d") == {"a", "c", "e"}
    assert changed(*(group.name for group in find_groups(layers))) == {"e"}


def test_what_clipping_shifts_stays(uneven: onnx.ModelProto, samples: Samples) -> None:
    ranges = ranges_over(samples)(uneven)
    clipped = {n: TensorRange(min=r.min / 4, max=r.max / 4) for n, r in ranges.items()}
    made = [correct_weight_shift(uneven, samples, each, (), Silent()) for each in (ranges, clipped)]
    assert made[0] == made[1] != uneven


def test_filters_that_nearly_cancel_lose_less(bright: Samples) -> None:
    generator = np.random.default_rng(6)
    first = np.abs(generator.normal(size=(8, 8, 1, 1)))
    second = generator.normal(size=(8, 8, 1, 1))
    second -= (second * first.sum(axis=1).reshape(1, 8, 1, 1)).sum(axis=1, keepdims=True) / (
        first.sum()
    )
    model = network("c = Conv(x, w1)\nr = Relu(c)\ny = Conv(r, w2)", {"w1": first, "w2": second})
    ranges, reference = ranges_over(bright)(model), run(model, bright)
    made = correct_weight_shift(model, bright, ranges, (), Silent())
    gain = int8_sqnr(made, reference, bright, ranges) - int8_sqnr(model, reference, bright, ranges)
    assert gain > 0.5


def test_simulated_it_goes_where_weights_are_rounded(
    uneven: onnx.ModelProto, samples: Samples
) -> None:
    ranges = ranges_over(samples)(uneven)
    groups = find_groups(uneven)
    shifts = weight_shifts(uneven, samples, ranges, (), Silent())
    simulator = Simulator(uneven, groups, ranges, threads=1, shifts=shifts)
    made = correct_weight_shift(uneven, samples, ranges, (), Silent())
    corrected = Simulator(made, groups, ranges, threads=1)
    for feeds in samples:
        whole = simulator.run(feeds, simulator.switches)["y"]
        np.testing.assert_array_equal(whole, corrected.run(feeds, corrected.switches)["y"])
        np.testing.assert_allclose(
            simulator.run(feeds, ())["y"], run(uneven, [feeds])[0]["y"], rtol=1e-4, atol=1e-4
        )
