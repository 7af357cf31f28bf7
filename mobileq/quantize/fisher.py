"""How much the task's error rises where an activation is off: from gradients, without labels.

Let g be the gradient, with respect to an activation, of a sum of what the task compares, with signs
drawn at random (`Reference.slopes`). The activation being off by d, the mean of (g . d)^2 over the
signs is, to first order in d, the error of the answers. Errors of rounding and clipping taken as
independent, that is the sum of g^2 d^2 over the values: the diagonal of the Fisher information.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from mobileq.calibration.observers import BIN_COUNT, Bins, Histogram, WideningBins
from mobileq.calibration.purposes import purposes
from mobileq.calibration.quantization_error import ErrorModel
from mobileq.calibration.samples import Sample, spread
from mobileq.calibration.statistics import Collector, FirstLook, Statistics, collect
from mobileq.calibration.taps import float_tensors, make_plan
from mobileq.errors import MobileqError
from mobileq.external.framing import Arrays, Fields
from mobileq.graph.shapes import value_counts
from mobileq.onnx_runtime import Guest
from mobileq.page import plural
from mobileq.parallel import in_parallel
from mobileq.progress import Progress, tracked
from mobileq.quantize.groups import find_groups, touched_tensors
from mobileq.quantize.layer_gradients import LayerCollector, LayerGradients, layers_of
from mobileq.quantize.squares import shared_among_neighbours
from mobileq.spec import ModelSpec, TensorRanges
from mobileq.tasks.base import Outputs, task_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto

SUMS = "mobileq_importance/"
"""Comes before the names of tensors, where their sums go beside taps."""
_HANDLER = "mobileq.quantize.fisher_handler:FisherHandler"
_THREADS = 2
_STAGE = "Gradients"


@dataclass(frozen=True)
class Gradients:
    """How many samples are run there and back: as many as have so many `values` in their tensors,
    but `least` of them in any case, and no more than 64.

    Of small pictures more are wanted, each of which takes less time. Of large tensors one in
    `stride` values is looked at; where these are not all, what is found of them is shared among
    neighbours (with all values nothing is shown to be gained by it).

    `channels` is of how many samples they tell what each channel counts, before channels are scaled
    (see `repairs.input_scaling`), `layers` of how many they also tell what rounding weights costs.
    """

    least: int
    stride: int
    values: int = 0
    channels: int = 0
    layers: int = 0

    def samples(self, size: int) -> int:
        """Args: size: Values that are looked at in one."""
        return max(self.least, min(_MOST, self.values // max(1, size)))


_MOST = 64
FEW = Gradients(32, 3, 2**30, layers=12)
MANY = Gradients(_MOST, 1, channels=32)
"""Where no op can be float instead, and the weights' fitting takes longer anyway."""


class Samples(Protocol):
    """To calibrate on; see `calibration.samples.SampleSet`."""

    def __len__(self) -> int: ...

    def at(self, indices: Iterable[int]) -> Iterator[Sample]:
        """Those, in their order."""
        ...


class Watch:
    """Somebody who wants the outputs of some samples, and is told them in their order.

    Args:
        samples: Their indices.
        tell: Is called with each.
    """

    def __init__(self, samples: range, tell: Callable[[Sample, Outputs], None]) -> None:
        self.samples, self._tell = samples, tell
        self._next = samples.start
        self._early: dict[int, tuple[Sample, Outputs]] = {}

    def take(self, at: int, sample: Sample, outputs: Outputs) -> None:
        """Args: at: Which of all samples it is."""
        self._early[at] = sample, outputs
        while (told := self._early.pop(self._next, None)) is not None:
            self._tell(*told)
            self._next += 1


@dataclass(frozen=True, eq=False)
class Weighed(Statistics):
    """Statistics with each tensor's `importance`, if a gradient reaches it, and gradients of the
    `layers`, by what they give, where they are wanted."""

    layers: Mapping[str, LayerGradients]


def weighed_statistics(
    onnx: Path,
    model: ModelProto,
    spec: ModelSpec,
    samples: Samples,
    progress: Progress,
    fixed: Collection[str] = (),
    gradients: Gradients = FEW,
    known: Statistics | None = None,
    watch: Watch | None = None,
    first: FirstLook | None = None,
) -> Weighed:
    """The samples' statistics, each tensor that a gradient reaches with its `importance`.

    Each sample is run once for both, unless statistics are known. Where a tensor is for one
    function only, the gradient is that of the function's result. What tensors go without it, or all
    of them where the way back can't be run, is told.

    Args:
        onnx: The float model's file, and
        model: what is in it.
        fixed: Types of ops that give tensors whose ranges are settled, and no importance is asked.
        watch: Not told of samples that are not run, nor where the whole model is not.
        first: See `collect`; not shown what is known already.

    Raises:
        As `collect`.
    """
    names = float_tensors(model) if known is None else known.tensors
    of_layers, settled = list[str](), settled_tensors(model, fixed)
    if gradients.layers:
        of_layers, settled = layers_of(model), settled - _passed(model)
    asked = _results(model, spec, names, settled)
    sizes = value_counts(model)
    chosen = gradients.samples(sum(sizes.get(name, 0) for name in asked))
    found, stopped = dict[str, _Squares](), dict[str, str]()
    layers: dict[str, LayerGradients] = {}
    fields = {
        "results": asked,
        "stride": gradients.stride,
        "layers": of_layers,
        "tapped": known is None,
    }
    try:
        with closing(_Pass(onnx, model, spec, fields, first)) as there:
            if known is None and not there.is_tapped:
                known = statistics_of(onnx, samples, progress, first)
            tapped, found, layers = there.run(samples, chosen, gradients.layers, progress, watch)
            known, stopped = known or tapped, there.stopped
    except MobileqError as error:
        progress.notice(f"Ranges are chosen without the task's gradients: {error.message}")
    known = known or statistics_of(onnx, samples, progress, first)
    asked = {name: result for name, result in asked.items() if name in known.tensors}
    missing = asked.keys() - found.keys()
    reasons = {stopped[name] for name in missing if stopped.get(name)}
    if reasons:
        progress.notice(
            f"{plural(len(missing), 'range')} of {len(asked)} are chosen without the task's "
            f"gradients, which don't go through {', '.join(sorted(reasons))}."
        )
    tensors, count = dict(known.tensors), min(chosen, len(samples))
    for name in asked.keys() & found.keys():
        # None where nothing that the task compares depends on it.
        importance = found[name].mean(count, tensors[name].histogram, gradients.stride > 1)
        tensors[name] = replace(tensors[name], importance=importance)
    return Weighed(tensors, known.sample_count, layers)


def statistics_of(
    onnx: Path, samples: Samples, progress: Progress, first: FirstLook | None
) -> Statistics:
    """Of all samples. Raises as `collect`."""
    order = _order(len(samples), first)
    feeds = (sample.feeds for _, sample in _numbered(samples, order))
    return collect(onnx.read_bytes(), None, feeds, progress, len(samples), first=first)


def _order(total: int, first: FirstLook | None) -> tuple[Sequence[int], ...]:
    return (range(total),) if first is None else first.order(total)


def _numbered(samples: Samples, order: Iterable[Sequence[int]]) -> Iterator[tuple[int, Sample]]:
    """Each with its index."""
    for part in order:
        yield from zip(part, samples.at(part), strict=True)


def settled_tensors(model: ModelProto, fixed: Collection[str]) -> set[str]:
    """Those whose ranges are settled: that ops of these types give."""
    return {name for node in model.graph.node if node.op_type in fixed for name in node.output}


def _passed(model: ModelProto) -> set[str]:
    """From group to group: what rounding them costs is asked."""
    touched = touched_tensors(model, find_groups(model)).values()
    return {name for names in touched for name in names}


def _results(
    model: ModelProto, spec: ModelSpec, names: Iterable[str], settled: Collection[str]
) -> dict[str, str]:
    """Of the other tensors the one whose gradient counts."""
    known = purposes(model, task_of(spec).sigmoids)
    # Errors of probabilities near 0 weigh without bound: a range for these would hold no others.
    last = {value.name for value in model.graph.output}
    settled = set(settled) | {
        node.output[0]
        for node in model.graph.node
        if node.op_type == "Softmax" and node.output[0] in last
    }
    return {
        name: name if name not in known else known[name].result or name
        for name in names
        if name not in settled
    }


def expected_errors(
    model: ModelProto, spec: ModelSpec, statistics: Statistics, ranges: TensorRanges
) -> dict[str, float]:
    """{tensor: error of the task where it alone is rounded to its range, in 8 bits}

    Of tensors that have an `importance`. To first order, and as if errors of values that are
    rounded had nothing to do with each other.
    """
    import numpy as np

    known = purposes(model, task_of(spec).sigmoids)
    found = {}
    for name, tensor in statistics.tensors.items():
        importance, span = tensor.importance, ranges.get(name)
        if importance is None or span is None or span.min == span.max:
            continue
        function = known[name].function if name in known else None
        told = ErrorModel(replace(tensor, histogram=importance), 8, function)
        (each,) = told.errors(np.array([span.min]), np.array([span.max]))
        found[name] = float(each * importance.counts.sum())
    return found


class _Squares:
    """Squared gradients of one tensor, in bins that widen as samples come."""

    def __init__(self) -> None:
        self._sums = WideningBins()

    def add(self, low: float, high: float, sums: NDArray[np.float64]) -> None:
        """Of one sample, in the bins that reach from low to high."""
        self._sums.reach(low, high)
        self._sums.counts += Bins.reaching(low, high).moved(sums, self._sums.bins, BIN_COUNT)

    def mean(self, count: int, histogram: Histogram, shared: bool) -> Histogram | None:
        """Of so many samples, in the bins of a histogram; None where there is nothing.

        Args:
            shared: See `shared_among_neighbours`.
        """
        counts = self._sums.counts
        if not counts.any():
            return None
        sums = self._sums.bins.moved(counts, histogram.bins, len(histogram.counts))
        if shared:
            sums = shared_among_neighbours(sums, histogram)
        return replace(histogram, counts=sums / count)


class _Pass:
    """One way there for each sample, and back for some; in the child that `Guest` lives in.

    Args:
        fields: What is wanted; see `FisherHandler.begin`.

    Raises:
        MobileqError: The model can't be loaded, or there is no way back.
    """

    def __init__(
        self,
        onnx: Path,
        model: ModelProto,
        spec: ModelSpec,
        fields: Fields,
        first: FirstLook | None,
    ) -> None:
        self._guest = Guest(_HANDLER, onnx)
        where = {"model": str(onnx.absolute()), "spec": msgspec.to_builtins(spec)}
        said = self._guest.request("begin", {**where, **fields})[0]
        self.stopped: dict[str, str] = said["stopped"]
        self.weighed: list[str] = said["weighed"]
        self._layers: list[str] = said["layers"]
        self._first = first
        self._collector = Collector(make_plan(model, None), first) if said["tapped"] else None
        self._outputs = [value.name for value in model.graph.output]

    def run(
        self, samples: Samples, count: int, layered: int, progress: Progress, watch: Watch | None
    ) -> tuple[Statistics | None, dict[str, _Squares], dict[str, LayerGradients]]:
        """Statistics, if they are tapped, each tensor's squared gradients, of `count` samples, and
        those of the layers, of `layered` among them.

        Raises: As `Session`, and as iterating the samples does.
        """
        total = len(samples)
        chosen = spread(total, count)
        seeds = {at: seed for seed, at in enumerate(chosen)}
        with_layers = {chosen[at] for at in spread(len(chosen), layered)} if self._layers else set()
        indices = _order(total, self._first) if self.is_tapped else (chosen,)
        if watch is None or not self.is_tapped:  # of who is tapped all samples are run
            watch = Watch(range(0), lambda sample, outputs: None)
        watched = watch.samples

        def ask(numbered: tuple[int, Sample]) -> tuple[Fields, Arrays]:
            at, sample = numbered
            fields = {
                "seed": seeds.get(at),
                "outputs": self._outputs if at in watched else [],
                "layered": at in with_layers,
            }
            return self._guest.request("sample", fields, sample.feeds)

        found = {name: _Squares() for name in self.weighed}
        layers = LayerCollector(self._layers)
        asked = sum(map(len, indices))
        # In the samples' order, whichever is done first: sums are the same in every run.
        pause = self._collector.pause if self._collector is not None else 0
        runs = in_parallel(ask, _numbered(samples, indices), _THREADS, pause)
        for (at, sample), (fields, arrays) in tracked(runs, progress, _STAGE, asked):
            if at in watched:
                watch.take(at, sample, {name: arrays[name] for name in self._outputs})
            if self._collector is not None:
                self._collector.add(sample.feeds, arrays)
            for name, (low, high) in fields["ends"].items():
                found[name].add(low, high, arrays[SUMS + name])
            if at in with_layers:
                layers.add(arrays)
        statistics = self._collector.statistics() if self._collector is not None else None
        return statistics, found, layers.gradients()

    @property
    def is_tapped(self) -> bool:
        """Whether statistics come with it."""
        return self._collector is not None

    def close(self) -> None:
        """Free it."""
        self._guest.close()
