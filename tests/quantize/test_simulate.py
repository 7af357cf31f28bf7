from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from mobileq.graph.prepare import PreparedModel
from mobileq.progress import Silent
from mobileq.quantize.groups import OpGroup
from mobileq.quantize.sensitivity import GroupSensitivity, keep_float, output_sqnr, rank_groups
from mobileq.quantize.simulate import Simulator, affine
from mobileq.spec import TensorRange


@pytest.fixture(scope="module")
def simulator(
    demo: PreparedModel, groups: tuple[OpGroup, ...], ranges: dict[str, TensorRange]
) -> Simulator:
    return Simulator(demo.model, groups, ranges)


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
    simulator: Simulator, samples: list[dict[str, Any]]
) -> None:
    reference = [simulator.run(feeds, ()) for feeds in samples]
    everything = [group.name for group in simulator.groups]
    together = output_sqnr(reference, [simulator.run(feeds, everything) for feeds in samples])
    ranked = rank_groups(simulator, samples, Silent())
    assert len(ranked) == len(simulator.groups)
    assert all(each.sqnr_db >= together - 1.0 for each in ranked)
    assert 15.0 < together < 45.0


def test_keeping_the_most_sensitive_groups_float_helps_more_than_keeping_the_least(
    simulator: Simulator, samples: list[dict[str, Any]]
) -> None:
    reference = [simulator.run(feeds, ()) for feeds in samples]
    ranked = rank_groups(simulator, samples, Silent())

    def without(names: set[str]) -> float:
        chosen = [group.name for group in simulator.groups if group.name not in names]
        return output_sqnr(reference, [simulator.run(feeds, chosen) for feeds in samples])

    best, worst = ({each.name for each in part} for part in (ranked[:12], ranked[-12:]))
    assert without(best) > without(worst) + 1.0


def test_keep_float_takes_few_groups_where_few_make_the_noise(
    simulator: Simulator, samples: list[dict[str, Any]]
) -> None:
    ranked = rank_groups(simulator, samples, Silent())
    kept = keep_float(ranked)
    assert 0 < len(kept) <= 0.15 * len(ranked) + 1
    assert kept[0] == ranked[0].name


def _group(name: str, sqnr_db: float, weight_count: int) -> GroupSensitivity:
    return GroupSensitivity(
        name=name, kind="convolution", op_type="Conv", sqnr_db=sqnr_db, weight_count=weight_count
    )


def test_keep_float_stops_when_little_noise_is_left() -> None:
    quiet = [_group(f"quiet {index}", 40.0, 100) for index in range(20)]
    assert keep_float([_group("loud", 10.0, 100), *quiet]) == ("loud",)


def test_keep_float_passes_over_what_makes_more_of_the_file_than_of_the_noise() -> None:
    quiet = [_group(f"quiet {index}", 20.0, 100) for index in range(20)]
    ranked = [_group("large", 15.0, 1_000_000), _group("small", 16.0, 10), *quiet]
    assert keep_float(ranked)[0] == "small"


def test_group_without_a_range_is_never_quantized(
    demo: PreparedModel, groups: tuple[OpGroup, ...], ranges: dict[str, TensorRange]
) -> None:
    first = groups[0]
    known = {name: value for name, value in ranges.items() if name != first.tensors[0]}
    names = {group.name for group in Simulator(demo.model, groups, known).groups}
    assert first.name not in names
    assert len(names) < len(groups)


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero"),
    [(0.0, 255.0, 1.0, 0), (-1.0, 1.0, 2 / 255, 128), (2.0, 51.0, 0.2, 0), (-51.0, -2.0, 0.2, 255)],
)
def test_affine_holds_zero_exactly(low: float, high: float, scale: float, zero: int) -> None:
    assert affine(TensorRange(min=low, max=high)) == (pytest.approx(scale), zero)
