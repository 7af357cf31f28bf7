"""Ranges where targets have a say, and groups by the names of their tensors."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from onnx import parser

from mobileq.calibration.ranges import estimate
from mobileq.calibration.statistics import Statistics, collect
from mobileq.errors import UsageError
from mobileq.graph.outline import tensor_specs
from mobileq.preparation.prepare import PreparedModel
from mobileq.progress import Silent
from mobileq.quantize.groups import OpGroup
from mobileq.quantize.plan import matching_groups, model_ranges, tensors_of
from mobileq.spec import ModelSpec, TensorRange
from mobileq.tasks.detect.raw_head import raw_head


@pytest.fixture(scope="module")
def raw(demo: PreparedModel) -> tuple[Any, Any]:
    return raw_head(demo.model, demo.spec)


@pytest.fixture(scope="module")
def statistics(raw: tuple[Any, Any], samples: list[dict[str, Any]]) -> Statistics:
    return collect(raw[0].SerializeToString(), None, samples, Silent())


def test_ops_get_the_range_that_whoever_runs_them_insists_on(
    raw: tuple[Any, Any], statistics: Statistics
) -> None:
    found = model_ranges(*raw, statistics, "mse", fixed={"Sigmoid": (0.0, 255 / 256)})
    sigmoids = [node.output[0] for node in raw[0].graph.node if node.op_type == "Sigmoid"]
    assert {found[name] for name in sigmoids} == {TensorRange(min=0.0, max=255 / 256)}
    free = model_ranges(*raw, statistics, "mse")
    assert len({free[name] for name in sigmoids}) > 1
    assert {name: free[name] for name in free if name not in sigmoids} == {
        name: found[name] for name in found if name not in sigmoids
    }


def test_logits_are_cut_below_in_8_bits_only(raw: tuple[Any, Any], statistics: Statistics) -> None:
    model, spec = raw
    (name, *_) = (each.name for each in spec.decode.outputs if each.role == "class_logits")
    lowest, highest = statistics.tensors[name].min, statistics.tensors[name].max
    assert lowest < -10
    found = model_ranges(model, spec, statistics, "min_max")[name]
    assert -10 < found.min < -7
    assert highest - 0.5 < found.max <= highest
    assert model_ranges(model, spec, statistics, "min_max", 16)[name].min == lowest
    decoded = msgspec.structs.replace(spec, decode=None)
    assert model_ranges(model, decoded, statistics, "min_max")[name].min == lowest


def test_logits_of_attention_are_not_clipped_above_in_8_bits() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[1,256,8] x, float[1,8,256] k) =>
        (float[1,256,256] y) { p = MatMul(x, k) y = Softmax(p) }"""
    )
    numbers = np.random.default_rng(0)
    x, k = (numbers.normal(size=shape).astype(np.float32) for shape in ((1, 256, 8), (1, 8, 256)))
    x[0, 0] *= 4  # one token that attends to one other
    largest = float((x @ k).max())
    inputs, outputs = tensor_specs(model)
    spec = ModelSpec(name="g", task="unknown", family=None, inputs=inputs, outputs=outputs)
    statistics = collect(model.SerializeToString(), None, [{"x": x, "k": k}], Silent())
    assert estimate(statistics, "mse", 8)["p"].max < 0.95 * largest
    assert model_ranges(model, spec, statistics, "mse")["p"].max == pytest.approx(largest)


def test_groups_are_found_by_any_of_their_tensors(groups: tuple[OpGroup, ...]) -> None:
    first, second = groups[0], groups[1]
    assert matching_groups(groups, [f"^{second.tensors[0]}$", f"^{first.name}$"]) == (
        first.name,
        second.name,
    )
    assert matching_groups(groups, []) == ()
    assert matching_groups(groups, ["."]) == tuple(group.name for group in groups)
    assert tensors_of(groups, (second.name,)) == second.tensors
    with pytest.raises(UsageError, match="matches no op's output"):
        matching_groups(groups, ["stem", "nothing like it"])
