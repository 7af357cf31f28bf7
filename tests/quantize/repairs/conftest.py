"""Small networks whose int8 version loses much, and what the tests ask of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper, parser

from mobileq.progress import Silent
from mobileq.quantize.groups import find_groups
from mobileq.quantize.repairs.input_scaling import channel_statistics, scale_inputs
from mobileq.quantize.repairs.layerwise import Revise, Walk, most_samples
from mobileq.quantize.simulate import Simulator
from mobileq.spec import TensorRange, TensorRanges

from ..noise import output_sqnr

Samples = list[dict[str, Any]]


def network(body: str, weights: Mapping[str, Any], opset: int = 17) -> onnx.ModelProto:
    """`body` in ONNX's text form, from x [1, 8, 12, 12] to y [1, 8, h, w]."""
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": {opset}]>\n'
        f"g (float[1,8,12,12] x) => (float[1,8,h,w] y) {{ {body} }}"
    )
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(values, np.float32), name)
        for name, values in weights.items()
    )
    return model


def run(model: onnx.ModelProto, samples: Samples) -> list[dict[str, Any]]:
    """All outputs, in float."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return [dict(zip(names, session.run(names, feeds), strict=True)) for feeds in samples]


def scaled(
    model: onnx.ModelProto, samples: Samples, squares: Mapping[str, Any] | None = None
) -> onnx.ModelProto:
    """By what these show."""
    return scale_inputs(model, channel_statistics(model, samples, Silent()), squares)


def ranges_over(samples: Samples) -> Callable[[onnx.ModelProto], TensorRanges]:
    """Calibrates a model by brute force."""

    def measure(model: onnx.ModelProto) -> TensorRanges:
        watched = onnx.ModelProto()
        watched.CopyFrom(model)
        known = {output.name for output in model.graph.output}
        names = [name for node in model.graph.node for name in node.output if name not in known]
        watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        found: dict[str, list[Any]] = {"x": [feeds["x"] for feeds in samples]}
        for outputs in run(watched, samples):
            for name, value in outputs.items():
                found.setdefault(name, []).append(value)
        return {
            name: TensorRange(
                min=min(0.0, *(float(value.min()) for value in values)),
                max=max(1e-6, *(float(value.max()) for value in values)),
            )
            for name, values in found.items()
        }

    return measure


def revise_layers(
    model: onnx.ModelProto,
    samples: Samples,
    ranges: TensorRanges,
    keep_float: Collection[str],
    revise: Revise,
) -> onnx.ModelProto:
    """The model with the layers that `revise` gives, in this process."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    walk = Walk(made, samples[-most_samples(made) :], ranges, keep_float, revise)
    for _ in made.graph.node:
        walk.step()
    return made


def run_int8(
    model: onnx.ModelProto, samples: Samples, ranges: TensorRanges
) -> list[dict[str, Any]]:
    """All outputs, every op in simulated int8."""
    simulator = Simulator(model, find_groups(model), ranges, threads=1)
    return [simulator.run(feeds, simulator.switches) for feeds in samples]


def int8_sqnr(
    model: onnx.ModelProto, reference: Sequence[Any], samples: Samples, ranges: TensorRanges
) -> float:
    """Of the outputs, in dB, against those of the float model that was there first."""
    return output_sqnr(reference, run_int8(model, samples, ranges))


@pytest.fixture
def silent() -> Silent:
    return Silent()


@pytest.fixture(scope="package")
def samples() -> Samples:
    generator = np.random.default_rng(3)
    return [
        {"x": np.clip(generator.normal(size=(1, 8, 12, 12)), -3, 3).astype(np.float32)}
        for _ in range(6)
    ]


@pytest.fixture(scope="package")
def uneven() -> onnx.ModelProto:
    """SiLU and a depthwise convolution between channels whose sizes differ by a factor of 300."""
    generator = np.random.default_rng(4)
    sizes = np.geomspace(0.1, 30.0, 8).reshape(-1, 1, 1, 1)
    return network(
        """c = Conv(x, w1, b1)
        s = Sigmoid(c)
        m = Mul(c, s)
        d = Conv <group = 8, pads = [1, 1, 1, 1]> (m, w2, b2)
        r = Relu(d)
        y = Conv(r, w3)""",
        {
            "w1": generator.normal(size=(8, 8, 1, 1)) * sizes / 3,
            "b1": generator.normal(size=8) * sizes.reshape(-1) / 3,
            "w2": generator.normal(size=(8, 1, 3, 3)) / sizes / 3,
            "b2": generator.normal(size=8) / 3,
            "w3": generator.normal(size=(8, 8, 1, 1)) / 3,
        },
    )
