"""Where along a small network the numbers of a changed copy of it leave its own."""

from __future__ import annotations

import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from mobileq.calibration.samples import Sample
from mobileq.evaluate.layers import LayerNoise, inner_noise, layer_noise, told
from mobileq.graph.outline import with_outputs
from mobileq.spec import QuantParams, TensorSpec
from mobileq.targets.reference import ReferenceRunner

GRAPH = """<ir_version: 8, opset_import: ["" : 17]>
g (float[1,8] x) => (float[1,8] y) {
    a = Mul(x, one)
    s = Sigmoid(a)
    m = Mul(a, s)
    b = Mul(m, two)
    c = Neg(b)
    y = Add(c, m)
}"""


def model(**factors: float) -> onnx.ModelProto:
    parsed = parser.parse_model(GRAPH)
    for name in ("one", "two"):
        value = np.full(8, factors.get(name, 1.0), np.float32)
        parsed.graph.initializer.append(numpy_helper.from_array(value, name))
    return parsed


def runner(opened: onnx.ModelProto, *names: str) -> ReferenceRunner:
    specs = tuple(TensorSpec(name=name, shape=(), dtype="float32") for name in names)
    return ReferenceRunner(with_outputs(opened, names), (), specs)


def samples(count: int = 2) -> list[Sample]:
    draw = np.random.default_rng(0)
    return [
        Sample(str(index), {"x": draw.normal(0, 1, (1, 8)).astype(np.float32)})
        for index in range(count)
    ]


def noise(changed: onnx.ModelProto, *names: str) -> dict[str, LayerNoise]:
    names = names or ("a", "s", "m", "b", "c", "y")
    measured = inner_noise(runner(model(), *names), runner(changed, *names), samples())
    return {layer.name: layer for layer in layer_noise(model(), measured)}


def test_noise_is_added_where_the_copy_differs():
    found = noise(model(two=1.1))
    assert list(found) == ["a", "s", "m", "b", "c", "y"]
    assert found["m"].sqnr_db is None
    assert found["b"].sqnr_db == pytest.approx(20, abs=0.01)
    assert found["b"].added == pytest.approx(0.01, abs=1e-5)
    assert found["c"].added == pytest.approx(0, abs=1e-9)
    assert max(found.values(), key=lambda layer: layer.added).name in ("b", "y")


def test_what_is_not_measured_hands_on_the_noise_that_it_takes():
    found = noise(model(one=1.1), "a", "c")
    assert found["c"].added < 1.5 * found["a"].added
    assert found["c"].sqnr_db < 20


def test_span_is_that_of_the_float_model_over_all_samples():
    found = noise(model(one=3.0))["a"]
    values = np.concatenate([sample.feeds["x"] for sample in samples()])
    assert (found.low, found.high) == (values.min(), values.max())


class Reshaped:
    """A file that keeps one tensor in another shape, and one in integers."""

    outputs = (
        TensorSpec(name="a", shape=(), dtype="float32"),
        TensorSpec(
            name="m", shape=(), dtype="float32", quant=QuantParams(scale=(0.01,), zero_point=(-8,))
        ),
    )

    def run(self, feeds):
        values = runner(model(), "a", "m").run(feeds)
        return {**values, "a": values["a"].reshape(8)}


def test_other_shapes_are_left_out_and_integers_have_limits():
    measured = inner_noise(runner(model(), "a", "m"), Reshaped(), samples())
    (found,) = layer_noise(model(), measured)
    assert found.name == "m"
    assert (found.int8_low, found.int8_high) == (pytest.approx(-1.2), pytest.approx(1.35))


def test_sentence_names_the_worst_and_what_is_clipped():
    layer = LayerNoise(name="t", op_type="Mul", sqnr_db=15.8, added=0.03, low=-0.3, high=27.6)
    clipped = msgspec.structs.replace(layer, name="u", added=0.1, int8_low=-9.5, int8_high=9.5)
    quiet = [msgspec.structs.replace(layer, name=f"q{n}", added=0.0) for n in range(5)]
    assert told([*quiet, layer, clipped]) == (
        "Most noise is added at u (Mul: 15.8 dB left, -0.3 .. 27.6 clipped to -9.5 .. 9.5), "
        "t (Mul: 15.8 dB left), q0 (Mul: 15.8 dB left); report.json has all layers."
    )
