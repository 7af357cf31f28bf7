from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from mobileq.quantize.repairs.spans import Channels, unscaled_tensors

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
    made = onnx.shape_inference.infer_shapes(uneven)
    for factors in (np.linspace(1, 9, 8), np.linspace(7, 2, 8)):
        channels = Channels(made)
        assert channels.spans[0].source == "c"
        channels.scale(channels.spans[0], factors)
    assert len(made.graph.node) == len(uneven.graph.node) + 1
    (wanted,), (found,) = run(uneven, samples[:1]), run(made, samples[:1])
    np.testing.assert_allclose(found["y"], wanted["y"], rtol=1e-4, atol=1e-4)


def test_silu_is_a_gate_and_relu_is_none(uneven: onnx.ModelProto) -> None:
    first, second = Channels(uneven).spans
    assert (first.source, first.users, first.gates) == ("c", ("d",), ("s",))
    assert list(first.places) == ["c", "m"]
    assert (second.source, second.users, second.gates) == ("d", ("y",), ())


@pytest.mark.parametrize(
    "between",
    [
        "t = Tanh(c)",
        "t = Add(c, x)",
        "t = Clip(c, low, high)",
        "t = Softmax(c)",
        "s = Sigmoid(c) u = Add(s, c) t = Mul(c, s)  v = Mul(u, t)",
        "t = Mul(c, c)",
        "r = Relu(c) t = HardSwish(r)",
        "h = HardSwish(c) t = Concat <axis = 1> (c, h)",
        "t = Concat <axis = 3> (c, x) u = Split <axis = 3> (t)",
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


def test_a_gate_of_two_spans_gets_one_op_more(samples: Samples) -> None:
    generator = np.random.default_rng(9)
    shapes = {"w": (8, 8, 1, 1), "v": (8, 8, 1, 1), "wide": (8, 16, 1, 1)}
    model = network(
        """a = Conv(x, w) b = Conv(x, v) c = Concat <axis = 1> (a, b) s = Sigmoid(c) m = Mul(c, s)
        y = Conv(m, wide)""",
        {name: generator.normal(size=shape) for name, shape in shapes.items()},
    )
    model = onnx.shape_inference.infer_shapes(model)
    made = _copy(model)
    channels = Channels(made)
    for span, factors in zip(channels.spans, np.geomspace(0.1, 5, 16).reshape(2, 8), strict=True):
        channels.scale(span, factors)
    assert len(made.graph.node) == len(model.graph.node) + 1
    (wanted,), (found,) = run(model, samples[:1]), run(made, samples[:1])
    np.testing.assert_allclose(found["y"], wanted["y"], rtol=1e-4, atol=1e-4)


_PASSED = {
    "hard swish": "t = HardSwish(c)",
    "hard swish and squeeze": """h = HardSwish(c) p = GlobalAveragePool(h) q = Conv(p, s)
        g = HardSigmoid(q) t = Mul(h, g)""",
    "concatenation": """h = HardSwish(c) o = Tanh(x) j = Concat <axis = 1> (o, h)
        t = Conv(j, wide)""",
    "itself pooled": """r = Relu(c) p = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (r)
        j = Concat <axis = -3> (p, r) t = Conv(j, wide)""",
    "shuffle": """o = Tanh(x) j = Concat <axis = 1> (c, o) a = Reshape(j, apart)
        b = Transpose <perm = [0, 2, 1, 3, 4]> (a) e = Reshape(b, together)
        f, u = Split <axis = 1> (e, halves) n = Concat <axis = 1> (u, f) t = Conv(n, wide)""",
    "shuffle that flattens": """o = Tanh(x) j = Concat <axis = 1> (o, c) a = Reshape(j, flat)
        b = Transpose <perm = [1, 0, 2]> (a) e = Reshape(b, parts)
        f = Gather <axis = 0> (e, second) t = Relu(f)""",
}


@pytest.mark.parametrize("between", _PASSED.values(), ids=_PASSED)
def test_channels_are_found_again(samples: Samples, between: str) -> None:
    generator = np.random.default_rng(7)
    shapes = {"w": (8, 8), "bias": (8,), "s": (8, 8), "wide": (8, 16), "v": (8, 8)}
    weights = {name: generator.normal(size=shape) for name, shape in shapes.items()}
    weights = {
        name: each[..., None, None] if each.ndim > 1 else each for name, each in weights.items()
    }
    model = network(f"c = Conv(x, w, bias) {between} y = Conv(t, v)", weights)
    whole = {
        "apart": [1, 2, 8, 12, 12],
        "together": [1, 16, 12, 12],
        "halves": [8, 8],
        "flat": [8, 2, 144],
        "parts": [2, 1, 8, 12, 12],
        "second": 1,
    }
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(values), name)
        for name, values in whole.items()
        if name in {taken for node in model.graph.node for taken in node.input}
    )
    model = onnx.shape_inference.infer_shapes(model)
    made = _copy(model)
    channels = Channels(made)
    (span,) = (each for each in channels.spans if each.source == "c")
    added = set(unscaled_tensors(model))
    channels.scale(span, np.geomspace(0.1, 10, 8))
    onnx.checker.check_model(made, full_check=True)
    assert made.graph.initializer[0] != model.graph.initializer[0]
    names = [{name for node in each.graph.node for name in node.output} for each in (model, made)]
    assert names[1] - names[0] == (added if span.gates else set())
    (wanted,), (found,) = run(model, samples[:1]), run(made, samples[:1])
    np.testing.assert_allclose(found["y"], wanted["y"], rtol=1e-4, atol=1e-4)


def test_columns_are_the_weights_by_input_channel() -> None:
    weights = np.arange(8 * 4 * 9, dtype=np.float32).reshape(8, 4, 3, 3)
    model = network("y = Conv <group = 2> (x, w)", {"w": weights})
    columns = Channels(model).columns("y")
    assert columns.shape == (8, 4 * 9)
    np.testing.assert_array_equal(columns[5], weights[4:, 1].reshape(-1))
