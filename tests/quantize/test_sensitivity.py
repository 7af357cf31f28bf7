"""Which group of ops 8 bits hurt most, and what is said about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from mobileq.calibration.observers import (
    ChannelStatistics,
    Histogram,
    TensorStatistics,
)
from mobileq.calibration.statistics import Statistics, collect
from mobileq.preparation.prepare import PreparedModel
from mobileq.progress import Silent
from mobileq.quantize.explain import reason, weight_error
from mobileq.quantize.groups import OpGroup, find_groups
from mobileq.quantize.plan import model_ranges
from mobileq.quantize.sensitivity import decibels, rank_groups
from mobileq.quantize.simulate import Simulator, inside
from mobileq.spec import ModelSpec, TensorRange, TensorSpec
from mobileq.tasks.base import task_of

from .noise import output_distance

_SPEC = ModelSpec(
    name="tiny",
    task="unknown",
    family=None,
    inputs=(TensorSpec(name="x", shape=(1, 3, 8, 8), dtype="float32", layout="NCHW"),),
    outputs=(TensorSpec(name="y", shape=(1, 8, 8, 8), dtype="float32"),),
)


def _chain(outlier: float) -> onnx.ModelProto:
    """Three convolutions; one channel of the second is `outlier` times the others, and the third
    takes that out again."""
    made = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,3,8,8] x) => (float[1,8,8,8] y) {
            a = Conv(x, u)
            b = Conv(a, v)
            y = Conv(b, w)
        }"""
    )
    numbers = np.random.default_rng(0)
    shapes = {"u": (8, 3, 1, 1), "v": (8, 8, 1, 1), "w": (8, 8, 1, 1)}
    weights = {
        name: numbers.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()
    }
    weights["v"][5] *= outlier
    weights["w"][:, 5] /= outlier
    made.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in weights.items())
    return made


def _feeds(count: int = 4) -> list[dict[str, Any]]:
    numbers = np.random.default_rng(1)
    return [{"x": numbers.normal(0, 1, (1, 3, 8, 8)).astype(np.float32)} for _ in range(count)]


def _statistics(model: onnx.ModelProto) -> Statistics:
    return collect(model.SerializeToString(), None, _feeds(), Silent(), 4)


def test_a_group_with_one_huge_channel_comes_first_and_it_is_said_why() -> None:
    model = _chain(1000.0)
    statistics = _statistics(model)
    ranges = model_ranges(model, _SPEC, statistics, "min_max")
    groups = find_groups(model)
    ranked = rank_groups(model, groups, ranges, _feeds(2), _SPEC, Silent(), statistics)
    assert {group.name for group in ranked} == {"a", "b", "y"}
    assert ranked[0].name == "b"
    assert ranked[0].error > 30 * ranked[1].error
    assert sum(group.share for group in ranked) == pytest.approx(1.0)
    bad = next(group for group in ranked if group.name == "b")
    assert bad.channel_spread is not None
    assert bad.channel_spread > 300
    assert "times the middle one, which has 1 level left" in bad.why
    assert not any("middle one" in group.why for group in ranked[1:])


def test_without_it_no_group_stands_out() -> None:
    model = _chain(1.0)
    statistics = _statistics(model)
    ranges = model_ranges(model, _SPEC, statistics, "min_max")
    ranked = rank_groups(model, find_groups(model), ranges, _feeds(2), _SPEC, Silent(), statistics)
    assert ranked[0].error < 30 * ranked[-1].error
    assert all(group.sqnr_db > 35 for group in ranked)
    assert not any("middle one" in group.why for group in ranked)


def test_what_is_ranked_is_what_the_whole_model_loses(
    demo: PreparedModel,
    groups: tuple[OpGroup, ...],
    ranges: dict[str, TensorRange],
    samples: list[dict[str, Any]],
) -> None:
    ranked = rank_groups(
        demo.model,
        groups,
        ranges,
        samples[:2],
        demo.spec,
        Silent(),
        answers=True,
    )
    simulator = Simulator(demo.model, groups, ranges)
    distance = output_distance(demo.spec)
    assert len(ranked) == len(simulator.groups)
    for group in (ranked[0], ranked[5]):
        errors = [
            distance(
                simulator.run(feeds, ()),
                simulator.run(feeds, {inside(group.name), group.name}),
            )
            for feeds in samples[:2]
        ]
        assert group.error == pytest.approx(sum(errors) / 2, rel=0.05)
        assert group.agreement is not None
        assert 0.0 <= group.agreement <= 1.0
    assert [group.error for group in ranked] == sorted(
        (group.error for group in ranked), reverse=True
    )


def test_the_reference_itself_has_no_error(
    demo: PreparedModel, groups: tuple[OpGroup, ...], samples: list[dict[str, Any]]
) -> None:
    outputs = Simulator(demo.model, groups, {}).run(samples[0], ())
    found = (
        task_of(demo.spec)
        .reference(outputs, answers=True)
        .compare({name: value.copy() for name, value in outputs.items()})
    )
    assert (found.error, found.noise) == (0.0, 0.0)
    assert found.answer is not None
    assert decibels(found.noise) == 200.0


def test_noise_counts_each_output_by_its_own_signal() -> None:
    large, small = np.full((1, 4), 100.0, np.float32), np.full((1, 4), 0.1, np.float32)
    reference = task_of(_SPEC).reference({"large": large, "small": small})
    found = reference.compare({"large": large, "small": small * 2})
    assert found.noise == pytest.approx(0.5)
    assert found.answer is None


def _of(values: np.ndarray[Any, Any], low: float, high: float) -> TensorStatistics:
    counts, _ = np.histogram(values, 256, (0.0, 256.0))
    return TensorStatistics(
        min=low,
        max=high,
        average_min=low,
        average_max=high,
        mean=0.0,
        variance=1.0,
        histogram=Histogram(1.0, 0, counts.astype(float)),
        channels=ChannelStatistics(np.zeros(3), np.array([2.0, 2.0, high]), *np.zeros((2, 3))),
    )


def test_the_reason_says_what_was_measured() -> None:
    group = OpGroup("b", "convolution", "Conv + SiLU", (0,), ("a", "b"), ("x",), "w", 9)
    values = np.concatenate([np.full(100_000, 1.5), [200.0]])
    said = reason(
        group,
        {
            "a": TensorRange(min=-300.0, max=100.0),
            "b": TensorRange(min=0.0, max=100.0),
            "x": TensorRange(min=0.0, max=1.0),
        },
        {"b": _of(values, 0.0, 200.0)},
        0.05,
    )
    assert said == (
        "0 .. 100; widest channel 100 times the middle one, which has 3 levels left; "
        "99.9% of the values lie in 0 .. 2; clips values up to 200; before the activation "
        "-300 .. 100; rounding moves the weights of its worst channel by 5%"
    )


def test_weights_of_one_size_are_rounded_little() -> None:
    even = np.ones((4, 16, 3, 3), np.float32)
    assert weight_error(even, 0) < 0.003
    even[2, 0, 0, 0] = 100.0
    assert weight_error(even, 0) > 0.02
    assert weight_error(np.zeros((4, 16, 3, 3), np.float32), 0) == 0.0
