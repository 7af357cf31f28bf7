"""The plan that a model brings along: the scales it was trained or calibrated with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from mobileq.graph.given_quantization import GivenQuantization
from mobileq.quantize.given_ranges import ranges_between
from mobileq.quantize.groups import OpGroup, find_groups
from mobileq.quantize.plan import QuantPlan, matching_groups, tensors_of

if TYPE_CHECKING:
    from onnx import ModelProto

CALIBRATOR: Final = "model"
"""What a recipe names where the model's own scales were taken."""


def given_plan(model: ModelProto, given: GivenQuantization, patterns: Sequence[str]) -> QuantPlan:
    """A model's own scales and float ops; nothing is calibrated or searched.

    Args:
        model: The prepared float model that was found in the quantized one.
        given: The scales; tensors between an op and the pair behind it get a range that follows.
        patterns: As of `matching_groups`: ops that stay float in addition.

    Raises:
        UsageError: A pattern matches nothing.
    """
    groups = find_groups(model)
    wanted = matching_groups(groups, patterns)
    ranges = {**ranges_between(model, given.ranges, given.unquantized), **given.ranges}
    kept = {*wanted, *_without_scales(groups, ranges), *_meant_to_be_float(groups, given)}
    names = tuple(group.name for group in groups if group.name in kept)
    return QuantPlan(
        calibrator=CALIBRATOR,
        ranges=ranges,
        keep_float=names,
        float_tensors=tensors_of(groups, names),
    )


def _without_scales(groups: Sequence[OpGroup], known: Collection[str]) -> set[str]:
    return {
        group.name
        for group in groups
        if any(name not in known for name in (*group.inputs, group.name))
    }


def _meant_to_be_float(groups: Sequence[OpGroup], given: GivenQuantization) -> set[str]:
    return {group.name for group in groups if not set(given.unquantized).isdisjoint(group.tensors)}
