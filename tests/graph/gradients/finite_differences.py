"""Gradients beside the differences that small steps make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from onnx import ModelProto

from mobileq.graph.backward import Backward, backward
from mobileq.graph.outline import dtype_name, graph_inputs
from tests.graph.builders import model_of

Feeds = Mapping[str, np.ndarray]


def session(model: ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def outputs_of(opened: onnxruntime.InferenceSession, feeds: Feeds) -> dict[str, np.ndarray]:
    names = [each.name for each in opened.get_outputs()]
    return dict(zip(names, opened.run(names, dict(feeds)), strict=True))


def there_and_back(way: Backward, feeds: Feeds, seeds: Feeds) -> dict[str, np.ndarray]:
    """All that both models give, by the way there's names and those of the gradients."""
    given = {**feeds, **outputs_of(session(way.there), feeds), **seeds}
    taken = {value.name: given[value.name] for value in way.back.graph.input}
    return {**given, **outputs_of(session(way.back), taken)}


def check_gradients(model: ModelProto, feeds: Feeds, step: float = 0.01) -> None:
    """Of all floating-point inputs, along random directions of all at once.

    The error of a step of h is of the order of h^2; that of float32, 1e-7 / h.
    """
    tensors = [value.name for value in graph_inputs(model) if value.type.tensor_type.elem_type == 1]
    way = backward(model, tensors)
    assert way.stopped == {}
    there, rng = session(model), np.random.default_rng(0)
    seeds = {
        name: rng.normal(size=value.shape).astype(np.float32)
        for name, value in outputs_of(there, feeds).items()
        if name in way.seeds
    }
    given = {way.seeds[name]: seed for name, seed in seeds.items()}
    found = there_and_back(way, feeds, given)
    for name in tensors:
        assert found[name].tolist() == feeds[name].tolist()
        assert found[way.gradients[name]].shape == feeds[name].shape
    gradients = {name: found[way.gradients[name]].astype(np.float64) for name in tensors}
    length = np.sqrt(sum((each**2).sum() for each in gradients.values()))
    for _ in range(2):
        along = {name: rng.normal(size=feeds[name].shape) for name in tensors}
        ends = []
        for signed in (step, -step):
            moved = {name: feeds[name] + signed * along[name] for name in tensors}
            moved = {name: np.asarray(value, np.float32) for name, value in moved.items()}
            results = outputs_of(there, {**feeds, **moved})
            ends.append(
                sum((results[name].astype(np.float64) * seeds[name]).sum() for name in seeds)
            )
        expected = (ends[0] - ends[1]) / (2 * step)
        told = sum((gradients[name] * along[name]).sum() for name in tensors)
        assert abs(told - expected) < 3e-3 * max(length, abs(expected)) + 1e-5, (told, expected)


def drawn(model: ModelProto, low: float = -2.0, high: float = 2.0) -> dict[str, np.ndarray]:
    """Values for all inputs, none of them near to another: no small step changes their order.
    Whole numbers are 0."""
    feeds: dict[str, np.ndarray] = {}
    rng = np.random.default_rng(1)
    shapes = {
        value.name: [each.dim_value for each in value.type.tensor_type.shape.dim]
        for value in graph_inputs(model)
    }
    dtypes = {
        value.name: np.dtype(dtype_name(value.type.tensor_type.elem_type))
        for value in graph_inputs(model)
    }
    total = sum(int(np.prod(shape)) for shape in shapes.values())
    values = np.linspace(low, high, total + 2)[1:-1] if total else np.empty(0)
    values = rng.permutation(values)
    for name, shape in shapes.items():
        count = int(np.prod(shape))
        feeds[name] = values[:count].reshape(shape).astype(dtypes[name])
        values = values[count:]
        if dtypes[name].kind != "f":
            feeds[name] = np.zeros_like(feeds[name])
    return feeds


def check_text(
    graph: str, weights: Mapping[str, Any] | None = None, opset: int = 17, **options: Any
) -> None:
    """`check_gradients` of a graph as text, of values between `low` and `high`."""
    step = options.pop("step", 0.01)
    model = model_of(graph, dict(weights or {}), opset=opset, ir_version=10 if opset > 20 else 8)
    check_gradients(model, drawn(model, **options), step)
