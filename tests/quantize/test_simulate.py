from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from mobileq.preparation.prepare import PreparedModel
from mobileq.progress import Silent
from mobileq.quantize.groups import OpGroup
from mobileq.quantize.sensitivity import GroupSensitivity, rank_groups
from mobileq.quantize.simulate import Simulator, inside, switchable
from mobileq.spec import TensorRange

from .noise import output_sqnr


@pytest.fixture(scope="module")
def simulator(
    demo: PreparedModel, groups: tuple[OpGroup, ...], ranges: dict[str, TensorRange]
) -> Simulator:
    return Simulator(demo.model, groups, ranges)


@pytest.fixture(scope="module")
def ranked(
    demo: PreparedModel,
    groups: tuple[OpGroup, ...],
    ranges: dict[str, TensorRange],
    samples: list[dict[str, Any]],
) -> tuple[GroupSensitivity, ...]:
    return rank_groups(demo.model, groups, ranges, samples, demo.spec, Silent())


def test_without_quantized_groups_it_is_the_float_model(
    simulator: Simulator, demo: PreparedModel, samples: list[dict[str, Any]]
) -> None:
    session = onnxruntime.InferenceSession(
        demo.model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for feeds in samples:
        (wanted,) = session.run(None, feeds)
        np.testing.assert_allclose(
            simulator.run(feeds, ())["output0"], wanted, rtol=1e-4, atol=2e-3
        )


def test_each_group_alone_costs_less_than_all_together(
    simulator: Simulator, samples: list[dict[str, Any]], ranked: tuple[GroupSensitivity, ...]
) -> None:
    reference = [simulator.run(feeds, ()) for feeds in samples]
    together = output_sqnr(
        reference, [simulator.run(feeds, simulator.switches) for feeds in samples]
    )
    assert len(ranked) == len(simulator.groups)
    assert all(each.sqnr_db >= together - 1.0 for each in ranked)
    assert 15.0 < together < 45.0


def test_keeping_the_most_sensitive_groups_float_helps_more_than_keeping_the_least(
    simulator: Simulator, samples: list[dict[str, Any]], ranked: tuple[GroupSensitivity, ...]
) -> None:
    reference = [simulator.run(feeds, ()) for feeds in samples]

    def without(names: set[str]) -> float:
        chosen = [group.name for group in simulator.groups if group.name not in names]
        rounded = simulator.parts(chosen)
        return output_sqnr(reference, [simulator.run(feeds, rounded) for feeds in samples])

    best, worst = ({each.name for each in part} for part in (ranked[:12], ranked[-12:]))
    assert without(best) > without(worst) + 1.0


def test_a_tensor_takes_at_most_255_steps_where_it_is_rounded_and_only_there(
    demo: PreparedModel,
    simulator: Simulator,
    samples: list[dict[str, Any]],
    ranges: dict[str, TensorRange],
) -> None:
    tapped, _ = switchable(demo.model, simulator.groups, simulator.touched, ranges)
    group = simulator.groups[3]
    tapped.graph.output.append(onnx.ValueInfoProto(name=group.name))
    session = onnxruntime.InferenceSession(
        tapped.SerializeToString(), providers=["CPUExecutionProvider"]
    )

    def levels(rounded: set[str]) -> int:
        switches = {
            value.name: np.array(value.name.removeprefix("mobileq_switch_") in rounded)
            for value in session.get_inputs()
            if value.type == "tensor(bool)"
        }
        (found,) = session.run([group.name], {**samples[0], **switches})
        return len(np.unique(found))

    assert 16 < levels({group.name}) <= 256
    assert levels(set()) > 1000
    # Two tensors of 8 bits multiplied, but not their product.
    assert levels({inside(group.name)}) != levels({group.name})


def test_group_without_a_range_is_never_quantized(
    demo: PreparedModel, groups: tuple[OpGroup, ...], ranges: dict[str, TensorRange]
) -> None:
    first = groups[0]
    known = {name: value for name, value in ranges.items() if name != first.tensors[0]}
    names = {group.name for group in Simulator(demo.model, groups, known).groups}
    assert first.name not in names
    assert len(names) < len(groups)
