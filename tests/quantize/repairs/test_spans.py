from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileq.quantize.repairs.spans import Channels

from .conftest import Samples, network, run

_W = np.ones((8, 8, 1, 1))


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    return made


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.01, 100.0), min_size=8, max_size=8), st.integers(0, 1))
def test_scaled_model_computes_the_same(
    uneven: onnx.ModelProto, samples: Samples, factors: list[float], which: int
) -> None:
    made = _copy(uneven)
    channels = Channels(made)
    channels.scale(channels.spans[which], np.array(factors))
    onnx.checker.check_model(made)
    (wanted,), (found,) = run(uneven, samples[:1]), run(made, samples[:1])
    np.testing.assert_allclose(found["y"], wanted["y"], rtol=1e-4, atol=1e-4)


def test_scaling_twice_adds_one_op(uneven: onnx.ModelProto, samples: Samples) -> None:
    made = _copy(uneven)
    for factors in (np.linspace(1, 9, 8), np.linspace(7, 2, 8)):
        channels = Channels(made)
        channels.scale(channels.spans[0], factors)
    assert len(made.graph.node) == len(uneven.graph.node) + 1
    (wanted,), (found,) = run(uneven, samples[:1]), run(made, samples[:1])
    np.testing.assert_allclose(found["y"], wanted["y"], rtol=1e-4, atol=1e-4)


def test_silu_is_a_gate_and_relu_is_none(uneven: onnx.ModelProto) -> None:
    first, second = Channels(uneven).spans
    assert (first.source, first.users, first.gates) == ("c", ("d",), ("s",))
    assert (second.source, second.users, second.gates) == ("d", ("y",), ())


@pytest.mark.parametrize(
    "between",
    [
        "t = Tanh(c)",
        "t = Add(c, x)",
        "t = Clip(c, low, high)",
        "t = Softmax(c)",
        "s = Sigmoid(c) u = Add(s, c) t = Mul(c, s)  v = Mul(u, t)",
    ],
)
def test_what_is_not_homogeneous_ends_a_span(between: str) -> None:
    constants = {"w": _W, "v1": _W, "low": 0.0, "high": 6.0}
    model = network(f"c = Conv(x, w) {between} y = Conv(t, v1)", constants)
    assert Channels(model).spans == ()


def test_shared_weights_are_left_alone() -> None:
    model = network("c = Conv(x, w) y = Conv(c, w)", {"w": _W})
    assert Channels(model).spans == ()


def test_channels_that_are_an_output_too_are_left_alone() -> None:
    model = network("c = Conv(x, w) y = Conv(c, v)", {"w": _W, "v": _W})
    assert len(Channels(model).spans) == 1
    model.graph.output.append(onnx.ValueInfoProto(name="c"))
    assert Channels(model).spans == ()


def test_columns_are_the_weights_by_input_channel() -> None:
    weights = np.arange(8 * 4 * 9, dtype=np.float32).reshape(8, 4, 3, 3)
    model = network("y = Conv <group = 2> (x, w)", {"w": weights})
    columns = Channels(model).columns("y")
    assert columns.shape == (8, 4 * 9)
    np.testing.assert_array_equal(columns[5], weights[4:, 1].reshape(-1))
