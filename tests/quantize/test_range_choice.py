"""Which calibrator a tensor's range is from."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper, parser

from mobileq.calibration.statistics import collect
from mobileq.progress import Silent
from mobileq.quantize.groups import find_groups
from mobileq.quantize.plan import model_ranges
from mobileq.quantize.range_choice import CANDIDATES, choose_methods, method_losses
from mobileq.spec import ModelSpec, TensorRange, TensorRanges, TensorSpec

_SPEC = ModelSpec(
    name="tiny",
    task="unknown",
    family=None,
    inputs=(TensorSpec(name="x", shape=(1, 8, 16, 16), dtype="float32", layout="NCHW"),),
    outputs=(TensorSpec(name="y", shape=(1, 8, 16, 16), dtype="float32"),),
)


def _model(body: str, taken: int = 8, **changed: np.ndarray[Any, Any]) -> onnx.ModelProto:
    """Convolutions by `u` and `v`, 1x1; those by `w` take `taken` channels."""
    made = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> '
        f"g (float[1,8,16,16] x) => (float[1,8,16,16] y) {{ {body} }}"
    )
    numbers = np.random.default_rng(0)
    for name, inputs in (("u", 8), ("v", 8), ("w", taken)):
        weights = numbers.normal(0, 0.5, (8, inputs, 1, 1)).astype(np.float32)
        weights = changed.get(name, weights)
        made.graph.initializer.append(numpy_helper.from_array(weights, name))
    return made


def _feeds(count: int = 6) -> list[dict[str, Any]]:
    """Small numbers, and in the last channel now and then a large one."""
    numbers = np.random.default_rng(1)
    values = numbers.normal(0, 1, (count, 1, 8, 16, 16)).astype(np.float32)
    values[:, :, 7] *= 0.01
    values[:, :, 7, 5, 7] = 40.0
    return [{"x": each} for each in values]


def _candidates(model: onnx.ModelProto) -> dict[Any, TensorRanges]:
    """Of the first, as if it clipped all tensors but the output at a tenth of what they reach."""
    statistics = collect(model.SerializeToString(), None, _feeds(), Silent(), 6)
    found = {method: model_ranges(model, _SPEC, statistics, method) for method in CANDIDATES}
    clipped = {
        name: each if name == "y" else TensorRange(min=each.min, max=each.max / 10)
        for name, each in found["min_max"].items()
    }
    return {**found, CANDIDATES[0]: clipped}


def _chosen(model: onnx.ModelProto) -> dict[str, Any]:
    groups = find_groups(model)
    return choose_methods(model, groups, _candidates(model), _feeds(), _SPEC, Silent())


_PASSING = np.eye(8, dtype=np.float32)[:, :, None, None]


def test_a_tensor_whose_few_large_values_decide_the_output_is_not_clipped() -> None:
    counting = _PASSING * np.array([0.01] * 7 + [1.0], np.float32)[:, None, None, None]
    model = _model("a = Conv(x, u) y = Conv(a, w)", u=_PASSING, w=counting)
    assert _chosen(model)["a"] in ("min_max", "wide_mse")


def test_a_tensor_whose_large_values_nobody_takes_is_clipped() -> None:
    heedless = _PASSING * np.array([1.0] * 7 + [0.0], np.float32)[:, None, None, None]
    model = _model("a = Conv(x, u) y = Conv(a, w)", u=_PASSING, w=heedless)
    assert "a" not in _chosen(model)


def test_what_is_fused_with_an_activation_has_the_range_of_what_that_gives() -> None:
    model = _model("s = Conv(x, u) a = Relu(s) y = Conv(a, w)", u=_PASSING)
    candidates, groups = _candidates(model), find_groups(model)
    assert "s" not in method_losses(model, groups, candidates, _feeds(), _SPEC, Silent())
    chosen = _chosen(model)
    assert chosen.get("s") == chosen.get("a")


def test_what_is_concatenated_alone_has_the_range_of_the_concatenation() -> None:
    body = "a = Conv(x, u) b = Conv(x, v) c = Concat <axis = 1> (a, b) y = Conv(c, w)"
    model = _model(body, taken=16, u=_PASSING)
    candidates, groups = _candidates(model), find_groups(model)
    losses = method_losses(model, groups, candidates, _feeds(), _SPEC, Silent())
    assert "c" in losses
    assert not {"a", "b"} & losses.keys()


def test_a_choice_is_made_once_and_again_the_same() -> None:
    model = _model("a = Conv(x, u) b = Relu(a) c = Conv(b, v) y = Conv(c, w)")
    assert _chosen(model) == _chosen(model)
