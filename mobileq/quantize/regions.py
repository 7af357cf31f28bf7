"""Which groups to keep in float: whole regions, so that what passes between them is not rounded.

A tensor is rounded where any op that makes or takes it is integer. One float op among integer ones
therefore gains little, a stretch of them much: what counts is the error of everything that is no
longer rounded, for the work that is no longer done in integers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from mobileq.graph.shapes import value_counts
from mobileq.quantize.groups import GROUP_KINDS, OpGroup, touched_tensors
from mobileq.quantize.simulate import inside

if TYPE_CHECKING:
    from onnx import ModelProto

MOST_FLOAT: Final = 0.2
"""Share of the work that may stay in float where no one asked for an accuracy,"""
MOST_FLOAT_BY_ERROR: Final = 0.4
"""where files are chosen by how far their outputs are off, as a classifier's are: a detector's mAP
holds when its boxes move a little, but a best class that is hardly the best turns over,"""
MOST_FLOAT_FOR_BUDGET: Final = 0.8
"""and where someone did."""
_SMALLEST: Final = 1 / 160
"""Share of the work from which levels begin to double."""
_PER_VALUE: Final = 16.0
"""Multiplications of a convolution that take as long as to compute one activation value, or to
move it: what SiLU costs on CPUs with 128-bit vectors."""


def float_levels(
    model: ModelProto,
    groups: Sequence[OpGroup],
    errors: Mapping[str, float],
    kept: Collection[str] = (),
    most: float = MOST_FLOAT,
    kinds: Collection[str] = GROUP_KINDS,
) -> tuple[tuple[str, ...], ...]:
    """Names of float groups, each level within twice the work of the one before.

    The first level is `kept`, which all hold.

    Args:
        model: The prepared float model, with static shapes.
        groups: From `find_groups`.
        errors: Of the tensors that pass between groups and the insides of groups, each rounded
            alone; see `hosted_parts.part_errors`.
        kept: Names of groups that are float in any case.
        most: Share of the work that others may be.
        kinds: Of groups that are integer or float as whoever runs the file is told. Levels that
            differ in others alone, which are float there in any case, are one and the same file.
    """
    work = relative_work(model, groups)
    neighbourhood = _Neighbourhood(touched_tensors(model, groups), errors, work)
    limits, limit = [0.0], most
    while limit > _SMALLEST * 0.9:
        limits.insert(1, limit)
        limit /= 2
    sets = [neighbourhood.chosen(kept, limit) for limit in limits]
    told = {group.name for group in groups if group.kind in kinds}.union(kept)
    found = [tuple(group.name for group in groups if group.name in names & told) for names in sets]
    return tuple(dict.fromkeys(found))


def expected_error(
    model: ModelProto,
    groups: Iterable[OpGroup],
    errors: Mapping[str, float],
    kept: Collection[str],
) -> float:
    """The summed error of all that is rounded where these groups are float, and the rest is not.

    For the arguments see `float_levels`. Larger than what the outputs are off by, as far as errors
    take each other back.
    """
    integer = [group for group in groups if group.name not in kept]
    names = {inside(group.name) for group in integer}
    names.update(name for each in touched_tensors(model, integer).values() for name in each)
    return math.fsum(errors.get(name, 0.0) for name in names)


def relative_work(model: ModelProto, groups: Iterable[OpGroup]) -> dict[str, float]:
    """{group name: its share of the time that all groups take in float}, as their sizes tell.

    Not measured: times differ from run to run, and the same model must give the same file.
    """
    values = value_counts(model)
    weights = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    found = {}
    for group in groups:
        given = [values.get(name, 0) for name in group.tensors]
        found[group.name] = _PER_VALUE * sum(given)
        if group.weights is not None:
            node = model.graph.node[group.nodes[0]]
            dims = weights[group.weights]
            outputs = dims[1] if node.op_type == "ConvTranspose" else dims[0]
            if node.op_type in ("Gemm", "MatMul"):
                outputs = dims[-1]
            found[group.name] += given[0] * math.prod(dims) / max(outputs, 1)
    whole = sum(found.values()) or 1.0
    return {name: each / whole for name, each in found.items()}


class _Neighbourhood:
    """Which groups touch which tensors, and what it is worth to have some of them in float."""

    def __init__(
        self,
        touched: Mapping[str, Sequence[str]],
        errors: Mapping[str, float],
        work: Mapping[str, float],
    ) -> None:
        self._touched, self._errors, self._work = touched, errors, work
        self._around: dict[str, set[str]] = {}
        for group, tensors in touched.items():
            for tensor in tensors:
                self._around.setdefault(tensor, set()).add(group)
        # Only together do the groups around a tensor spare it.
        sets = [*self._around.values(), *({group} for group in touched)]
        self._steps = [tuple(sorted(names)) for names in sets]

    def chosen(self, kept: Collection[str], limit: float) -> set[str]:
        """`kept`, and within the limit of work always those that take away most error for it."""
        chosen = {name for name in kept if name in self._touched}
        while True:
            best: list[str] = []
            rate = 0.0
            for step in self._steps:
                added = [name for name in step if name not in chosen]
                work = math.fsum(self._work[name] for name in added)
                if not added or work > limit:
                    continue
                gain = self._gain(chosen, added) / max(work, 1e-9)
                if gain > rate:
                    best, rate = added, gain
            if not best:
                return chosen
            chosen.update(best)
            limit -= math.fsum(self._work[name] for name in best)

    def _gain(self, chosen: set[str], added: Collection[str]) -> float:
        together = chosen.union(added)
        tensors = {tensor for name in added for tensor in self._touched[name]}
        spared = (tensor for tensor in tensors if self._around[tensor] <= together)
        names = [*spared, *(inside(name) for name in added)]
        return math.fsum(self._errors.get(name, 0.0) for name in names)
