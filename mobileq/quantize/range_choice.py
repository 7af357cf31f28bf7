"""Which calibrator each tensor's range is from: what the task loses by it decides.

No calibrator is best for all tensors. An error that its own values make small may be the one that
matters: in YOLOv5n one tensor of 130, clipped as its mean square error wants it, costs as much as
a fifth of all the others together, and nothing at all with the range of all its values.

What a range costs has two parts. Clipping is the same whenever a picture has such values, and few
have: it is run, each tensor alone, where a sample reaches beyond the range. Rounding is chance in
each sample, more of it than calibrators differ by; but its mean goes with the square of the step,
so it is measured once for a tensor and told for all ranges from that.

A few tensors cause most of what clipping costs. One look at each of them, on the sample that
reaches farthest, finds them; the others keep the range that they have.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from mobileq.calibration.ranges import Method
from mobileq.graph.eight_bits import affine
from mobileq.graph.frontier import cut_at, frontier
from mobileq.graph.op_facts import only_moves
from mobileq.parallel import in_parallel
from mobileq.progress import Progress
from mobileq.quantize.groups import OpGroup, find_groups
from mobileq.quantize.partial_runs import Prefixes, Suffix, suffixes, types_of
from mobileq.quantize.probe import HIGH, LOW, Probe, with_extremes
from mobileq.spec import ModelSpec, TensorRange, TensorRanges
from mobileq.tasks.base import Outputs, Reference, task_of
from mobileq.tasks.noise import NoiseReference

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import ModelProto, ValueInfoProto

    Feeds = Mapping[str, npt.NDArray[Any]]

CANDIDATES: Final[tuple[Method, ...]] = ("mse", "wide_mse", "min_max")
"""Each clips less than the one before. The first is what a tensor has that is not looked into."""
_SUFFIXES = 10
_ROUNDED = 4
"""Samples that rounding is measured on."""
_SHARE = 0.97
"""Of what clipping costs at a first look: tensors that cause as much together are looked into,"""
_MOST = 32
"""but no more of them."""
_ALIKE = 0.02
"""Of the range's width: ends that differ by less make no other file."""
_FUSED = frozenset({"Relu", "Clip"})
"""Runtimes compute a convolution and one of these at once: what is between them is never rounded,
and has the range of what they give."""


@dataclass(frozen=True)
class _Run:
    """Of a sample: what each ending of the model takes, how far each tensor reaches, the float
    model's outputs, and what others are held against."""

    taken: list[dict[str, Any]]
    extremes: Mapping[str, tuple[float, float]]
    outputs: Outputs
    reference: Reference


def choose_methods(
    model: ModelProto,
    groups: Sequence[OpGroup],
    candidates: Mapping[Method, TensorRanges],
    samples: Sequence[Feeds],
    spec: ModelSpec,
    progress: Progress,
) -> dict[str, Method]:
    """{tensor: the calibrator that its range is from, where that is not the first of them}

    Args:
        model: The prepared float model.
        groups: Those of its ops that will be integer.
        candidates: Ranges of all tensors by each calibrator.
        samples: Some inputs.
        spec: Of the model.
    """
    losses = method_losses(model, groups, candidates, samples, spec, progress)
    chosen = {name: min(each, key=each.__getitem__) for name, each in losses.items()}
    tied = _tied(model, groups)
    chosen |= {inner: chosen[outer] for inner, outer in tied.items() if outer in chosen}
    usual = next(iter(candidates))
    return {name: method for name, method in chosen.items() if method != usual}


def method_losses(
    model: ModelProto,
    groups: Sequence[OpGroup],
    candidates: Mapping[Method, TensorRanges],
    samples: Sequence[Feeds],
    spec: ModelSpec,
    progress: Progress,
) -> dict[str, dict[Method, float]]:
    """{tensor: {calibrator: what is lost with this tensor alone in integers}}

    Lost by the task's own error; where it has none, by that of the outputs of the model's last
    convolutions: what sorts and chooses in the graph turns a little noise into any amount. It has
    the tensors that lose most by being clipped; none that has another's range in any file.
    """
    task = task_of(spec)
    reference: Callable[[Outputs], Reference] = task.reference
    last = frontier(model) if task.error_of == "outputs" else ()
    if last:
        model, reference = cut_at(model, last), NoiseReference
        known = {group.name for group in groups}
        groups = [group for group in find_groups(model) if group.name in known]
    tries = _distinct(model, groups, candidates)
    parts = suffixes(model, groups, _SUFFIXES)
    prefixes = Prefixes(with_extremes(model, sorted(tries)), parts)
    runs = [_run(prefixes, feeds, reference) for feeds in samples]
    over = partial(_over_parts, parts, types_of(model))
    with progress.stage("Choosing ranges"):
        costs = over(tries, partial(_glance, runs, tries))
        return over(_costly(costs), partial(_losses, runs, tries))


def _over_parts[R](
    parts: Sequence[Suffix],
    types: Mapping[str, ValueInfoProto],
    names: Collection[str],
    measure: Callable[[Probe, int, str], R],
) -> dict[str, R]:
    """{tensor: what is measured}, each in the ending of the model that its group is in."""
    found: dict[str, R] = {}
    for at, part in enumerate(parts):
        own = [name for group in part.groups for name in group.tensors if name in names]
        if own:
            # One thread each: tensors are worked on side by side.
            probe, threads = Probe(part.model(types), own), min(os.cpu_count() or 1, 4)
            found.update(in_parallel(partial(measure, probe, at), own, threads))
    return found


def _costly(costs: Mapping[str, float]) -> set[str]:
    """The fewest tensors that cause most of all costs."""
    order = sorted((name for name in costs if costs[name]), key=lambda name: (-costs[name], name))
    sums = accumulate(costs[name] for name in order)
    enough = _SHARE * math.fsum(costs.values())
    count = 1 + sum(cost < enough for cost in sums)
    return set(order[: min(count, _MOST)])


def _run(prefixes: Prefixes, feeds: Feeds, reference: Callable[[Outputs], Reference]) -> _Run:
    outputs, taken = prefixes.run(feeds)
    extremes = {
        name.removeprefix(LOW): (float(value), float(outputs[HIGH + name.removeprefix(LOW)]))
        for name, value in outputs.items()
        if name.startswith(LOW)
    }
    own = {name: value for name, value in outputs.items() if not name.startswith((LOW, HIGH))}
    return _Run(taken, extremes, own, reference(own))


def _glance(
    runs: Sequence[_Run],
    tries: Mapping[str, Mapping[Method, TensorRange]],
    probe: Probe,
    part: int,
    name: str,
) -> float:
    """What the usual range costs the sample that it clips most."""
    usual = next(iter(tries[name].values()))
    worst = max(runs, key=lambda run: _overshoot(run.extremes[name], usual))
    if not _reaches_beyond(worst.extremes[name], usual):
        return 0.0
    return _error(probe, part, name, worst, usual, rounded=False)


def _losses(
    runs: Sequence[_Run],
    tries: Mapping[str, Mapping[Method, TensorRange]],
    probe: Probe,
    part: int,
    name: str,
) -> dict[Method, float]:
    def clipped(found: TensorRange) -> float:
        beyond = [run for run in runs if _reaches_beyond(run.extremes[name], found)]
        errors = [_error(probe, part, name, run, found, rounded=False) for run in beyond]
        return math.fsum(errors) / len(runs)

    # With a range that clips nothing in these samples.
    low = min(0.0, *(run.extremes[name][0] for run in runs))
    high = max(0.0, *(run.extremes[name][1] for run in runs))
    whole = TensorRange(min=low, max=high)
    some = runs[:_ROUNDED]
    noises = [_error(probe, part, name, run, whole, rounded=True) for run in some]
    noise = math.fsum(noises) / len(some) / _step(whole) ** 2
    return {
        method: noise * _step(found) ** 2 + clipped(found) for method, found in tries[name].items()
    }


def _error(
    probe: Probe, part: int, name: str, run: _Run, found: TensorRange, *, rounded: bool
) -> float:
    changed = probe.run(run.taken[part], name, found, rounded=rounded)
    return run.reference.compare({**run.outputs, **changed}).error


def _step(found: TensorRange) -> float:
    return affine(found)[0]


def _overshoot(extremes: tuple[float, float], found: TensorRange) -> float:
    return max(found.min - extremes[0], extremes[1] - found.max)


def _reaches_beyond(extremes: tuple[float, float], found: TensorRange) -> bool:
    """By more than rounding to the last step."""
    return _overshoot(extremes, found) > _step(found) / 2


def _distinct(
    model: ModelProto, groups: Sequence[OpGroup], candidates: Mapping[Method, TensorRanges]
) -> dict[str, dict[Method, TensorRange]]:
    """The ranges to try of each tensor that there is a choice for."""
    others = _others_ranges(model, groups) | _tied(model, groups).keys()
    tries: dict[str, dict[Method, TensorRange]] = {}
    for name in (name for group in groups for name in group.tensors if name not in others):
        found: dict[Method, TensorRange] = {}
        for method, ranges in candidates.items():
            if name in ranges and not any(_alike(ranges[name], each) for each in found.values()):
                found[method] = ranges[name]
        if len(found) > 1:
            tries[name] = found
    return tries


def _alike(first: TensorRange, second: TensorRange) -> bool:
    most = _ALIKE * (first.max - first.min)
    return abs(first.min - second.min) <= most and abs(first.max - second.max) <= most


def _tied(model: ModelProto, groups: Sequence[OpGroup]) -> dict[str, str]:
    """{what is between a convolution and what it is fused with: what the latter gives}"""
    nodes = model.graph.node
    return {
        group.tensors[0]: group.name
        for group in groups
        if len(group.nodes) > 1 and nodes[group.nodes[1]].op_type in _FUSED
    }


def _others_ranges(model: ModelProto, groups: Sequence[OpGroup]) -> set[str]:
    """Tensors that get another's range: what is only concatenated has that of the concatenation,
    and what only moves values theirs."""
    takers: dict[str, set[str]] = {}
    for node in model.graph.node:
        for name in node.input:
            takers.setdefault(name, set()).add(node.op_type)
    outputs = {value.name for value in model.graph.output}
    joined = {name for name, types in takers.items() if types == {"Concat"}} - outputs
    moved = {
        group.name
        for group in groups
        if all(only_moves(model.graph.node[at]) for at in group.nodes)
    }
    return joined | moved
