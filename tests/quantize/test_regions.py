"""Which groups are kept in float together."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper, parser

from mobileq.graph.frontier import cut_at, frontier
from mobileq.preparation.prepare import PreparedModel
from mobileq.progress import Silent
from mobileq.quantize.groups import OpGroup, find_groups, touched_tensors
from mobileq.quantize.hosted_parts import part_errors
from mobileq.quantize.regions import (
    MOST_FLOAT,
    expected_error,
    float_levels,
    relative_work,
)
from mobileq.quantize.sensitivity import each_part
from mobileq.quantize.simulate import Simulator, inside
from mobileq.spec import TensorRange

from .noise import output_distance

CHAIN = 40


def _chain() -> onnx.ModelProto:
    """Convolutions c0 .. c39, one after the other."""
    names = ["x", *(f"c{at}" for at in range(CHAIN))]
    body = "\n".join(f"{after} = Conv({before}, w)" for before, after in pairwise(names))
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]> g (float[1,8,4,4] x) => (float[1,8,4,4] '
        f"{names[-1]}) {{ {body} }}"
    )
    weights = np.ones((8, 8, 1, 1), np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    return model


@pytest.fixture(scope="module")
def chain() -> tuple[onnx.ModelProto, tuple[OpGroup, ...]]:
    model = _chain()
    return model, find_groups(model)


def test_the_groups_around_a_bad_tensor_are_float_together(
    chain: tuple[onnx.ModelProto, tuple[OpGroup, ...]],
) -> None:
    errors = {group.name: 0.001 for group in chain[1]} | {"c20": 1.0}
    first = next(names for names in float_levels(*chain, errors) if len(names) > 1)
    assert {"c20", "c21"} <= set(first)


def test_a_stretch_is_worth_more_than_as_many_single_groups(
    chain: tuple[onnx.ModelProto, tuple[OpGroup, ...]],
) -> None:
    errors = {f"c{at}": 1.0 for at in range(CHAIN)}
    errors |= {f"c{at}": 1.2 for at in range(1, CHAIN, 5)}
    chosen = [int(name[1:]) for name in float_levels(*chain, errors)[-1]]
    assert len(chosen) == 8
    assert chosen == list(range(chosen[0], chosen[0] + 8))


def test_a_group_with_bad_weights_is_float_alone(
    chain: tuple[onnx.ModelProto, tuple[OpGroup, ...]],
) -> None:
    assert float_levels(*chain, {inside("c7"): 1.0})[-1] == ("c7",)


@given(data=st.data())
def test_levels_keep_what_is_asked_and_stay_within_their_limit(
    chain: tuple[onnx.ModelProto, tuple[OpGroup, ...]], data: Any
) -> None:
    model, groups = chain
    names = [part for group in groups for part in (group.name, inside(group.name))]
    errors = data.draw(st.dictionaries(st.sampled_from(names), st.floats(0, 1)))
    kept = data.draw(st.sets(st.sampled_from([group.name for group in groups]), max_size=5))
    levels = float_levels(model, groups, errors, kept)
    work = relative_work(model, groups)
    assert set(levels[0]) == kept
    assert len(set(levels)) == len(levels)
    for names in levels:
        assert kept <= set(names)
        assert sum(work[name] for name in set(names) - kept) <= MOST_FLOAT + 1e-9
    order = [group.name for group in groups]
    assert list(levels[-1]) == sorted(levels[-1], key=order.index)


def test_levels_that_are_one_file_where_nothing_but_convolutions_is_told_are_one(
    demo: PreparedModel, groups: tuple[OpGroup, ...]
) -> None:
    errors = {group.name: float(at) for at, group in enumerate(groups)}
    arithmetic = next(group.name for group in groups if group.kind == "arithmetic")
    every = float_levels(demo.model, groups, errors, most=0.8)
    told = float_levels(demo.model, groups, errors, (arithmetic,), 0.8, ("convolution",))
    kinds = {group.name: group.kind for group in groups}
    assert {kinds[name] for level in every for name in level} > {"convolution"}
    assert {name for level in told for name in level if kinds[name] != "convolution"} == {
        arithmetic
    }, "which was asked for"
    assert len(set(told)) == len(told) > 2


def test_a_convolution_is_more_work_than_an_addition(
    demo: PreparedModel, groups: tuple[OpGroup, ...]
) -> None:
    work = relative_work(demo.model, groups)
    assert sum(work.values()) == pytest.approx(1.0)
    assert all(share > 0 for share in work.values())
    kinds = {
        kind: [work[g.name] for g in groups if g.kind == kind]
        for kind in ("convolution", "arithmetic")
    }
    assert np.mean(kinds["convolution"]) > 2 * np.mean(kinds["arithmetic"])


@pytest.fixture
def onnx_file(demo: PreparedModel, tmp_path: Path) -> Path:
    onnx.save(demo.model, tmp_path / "demo.onnx")
    return tmp_path / "demo.onnx"


def test_errors_of_parts_are_those_of_the_whole_model(
    demo: PreparedModel,
    onnx_file: Path,
    groups: tuple[OpGroup, ...],
    ranges: dict[str, TensorRange],
    samples: list[dict[str, Any]],
) -> None:
    errors = part_errors(onnx_file, ranges, samples[:1], demo.spec, Silent())
    simulator = Simulator(demo.model, groups, ranges)
    assert errors == dict(each_part(demo.model, groups, ranges, samples[:1], demo.spec))
    some = sorted(errors)[::2]
    rest = part_errors(onnx_file, ranges, samples[:1], demo.spec, Silent(), known=some)
    assert rest == {name: each for name, each in errors.items() if name not in some}
    assert set(errors) <= set(simulator.switches)
    assert {group.name for group in simulator.groups} < set(errors)
    assert demo.spec.inputs[0].name in errors
    distance = output_distance(demo.spec)
    worst = sorted(errors, key=lambda name: -errors[name])[:3]
    plain = simulator.run(samples[0], ())
    for name in worst:
        alone = distance(plain, simulator.run(samples[0], {name}))
        assert errors[name] == pytest.approx(alone, rel=0.05)


def test_without_candidates_the_last_convolutions_are_compared(
    demo: PreparedModel,
    onnx_file: Path,
    groups: tuple[OpGroup, ...],
    ranges: dict[str, TensorRange],
    samples: list[dict[str, Any]],
) -> None:
    spec = msgspec.structs.replace(demo.spec, decode=None)
    errors = part_errors(onnx_file, ranges, samples[:1], spec, Silent())
    cut = cut_at(demo.model, frontier(demo.model))
    simulator = Simulator(cut, find_groups(cut), ranges)
    plain = simulator.run(samples[0], ())
    assert len(plain) == 6
    assert {group.name for group in simulator.groups} < set(errors)
    some = sorted(errors)[::2]
    rest = part_errors(onnx_file, ranges, samples[:1], spec, Silent(), known=some)
    assert rest == {name: each for name, each in errors.items() if name not in some}
    for name in sorted(errors, key=lambda name: -errors[name])[:3]:
        alone = output_distance(spec)(plain, simulator.run(samples[0], {name}))
        assert errors[name] == pytest.approx(alone, rel=0.05)


def test_what_is_expected_of_a_level_is_what_is_still_rounded(
    demo: PreparedModel, groups: tuple[OpGroup, ...]
) -> None:
    touched = touched_tensors(demo.model, groups)
    parts = {inside(group.name) for group in groups}.union(*touched.values())
    errors = {name: 1.0 for name in parts}
    assert expected_error(demo.model, groups, errors, ()) == len(parts)
    assert expected_error(demo.model, groups, errors, [group.name for group in groups]) == 0.0
    first = groups[0]
    # Others take what it gives: of all that is rounded only its inside, and what it alone takes.
    left = expected_error(demo.model, groups, errors, [first.name])
    alone = set(touched[first.name]).difference(
        *(names for name, names in touched.items() if name != first.name)
    )
    assert left == len(parts) - 1 - len(alone)


def test_float_regions_bring_the_output_closer_than_as_much_float_work_elsewhere(
    demo: PreparedModel,
    onnx_file: Path,
    groups: tuple[OpGroup, ...],
    ranges: dict[str, TensorRange],
    samples: list[dict[str, Any]],
) -> None:
    errors = part_errors(onnx_file, ranges, samples[:2], demo.spec, Silent())
    simulator = Simulator(demo.model, groups, ranges)
    distance = output_distance(demo.spec)

    def error(kept: tuple[str, ...]) -> float:
        rounded = simulator.parts([g.name for g in simulator.groups if g.name not in kept])
        found = [
            distance(simulator.run(feeds, ()), simulator.run(feeds, rounded))
            for feeds in samples[2:]
        ]
        return sum(found) / len(found)

    best = float_levels(demo.model, groups, errors)[-1]
    worst = float_levels(demo.model, groups, {name: 1 / (e + 1e-9) for name, e in errors.items()})
    assert error(best) < 0.7 * error(())
    assert error(best) < 0.7 * error(worst[-1])
