"""The float model as it was given, or repaired, and what is measured on each of these once."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.calibration.ranges import Method
from mobileq.calibration.samples import spread
from mobileq.calibration.statistics import FirstLook
from mobileq.hashing import file_digest
from mobileq.progress import Progress
from mobileq.quantize.channels import channel_squares
from mobileq.quantize.fisher import (
    FEW,
    Gradients,
    Watch,
    Weighed,
    expected_errors,
    settled_tensors,
    statistics_of,
    weighed_statistics,
)
from mobileq.quantize.group_plans import GroupPlan, group_plans
from mobileq.quantize.groups import OpGroup, find_groups
from mobileq.quantize.hosted_parts import part_errors
from mobileq.quantize.layer_gradients import inside_errors
from mobileq.quantize.plan import model_ranges
from mobileq.quantize.repairs.input_scaling import (
    channel_statistics,
    scale_inputs,
    tensors_of,
)
from mobileq.quantize.repairs.registry import INPUT_SCALING, repair
from mobileq.quantize.repairs.weight_shift import shifted_layers, weight_shifts
from mobileq.quantize.simulate import NO_SHIFTS, Shifts, switches, with_ranges
from mobileq.spec import ModelSpec, TensorRanges

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto

    from mobileq.calibration.samples import SampleSet
    from mobileq.calibration.statistics import Statistics

    Feeds = dict[str, NDArray[Any]]
    See = Callable[[Statistics], None]

_REPAIR_SAMPLES = 48
"""Some of them decide as well: fitted to so many, files were no better on them than on others."""
_SCALING_SAMPLES = 8


class _OutdatedError(Exception):
    """Another model takes this one's place."""


@dataclass(frozen=True)
class Variant:
    """The float model as it was given, or repaired: the same function, easier to quantize."""

    onnx: Path
    repairs: tuple[str, ...]
    sha256: str

    @cached_property
    def model(self) -> ModelProto:
        """Read once."""
        import onnx

        return onnx.load(self.onnx)

    @cached_property
    def groups(self) -> tuple[OpGroup, ...]:
        """What can be float or not."""
        return find_groups(self.model)


@dataclass(frozen=True)
class Ranging:
    """How ranges are chosen; see `model_ranges` and, for `fisher`, `weighed_statistics`."""

    method: Method
    bits: int = 8
    fixed: tuple[tuple[str, tuple[float, float]], ...] = ()
    gradients: Gradients = FEW

    @property
    def scaling_samples(self) -> int:
        """Of how many gradients tell by what factors channels are scaled."""
        return self.gradients.channels if self.method == "fisher" else 0


class Variants:
    """All that the integer files of one model can be made of.

    Args:
        onnx: The prepared float model.
        spec: Of it.
        samples: To calibrate on.
        folder: Where repaired models are written.
    """

    def __init__(
        self, onnx: Path, spec: ModelSpec, samples: SampleSet, folder: Path, progress: Progress
    ) -> None:
        self._spec, self._samples, self._folder = spec, samples, folder
        self._progress = progress
        self.given = Variant(onnx, (), file_digest(onnx))
        self._scaled: dict[int, Variant] = {}
        self._first: Statistics | None = None
        """Of the first few samples, in the given model."""
        self._before: dict[str, Variant] = {}
        """Which variants with fitted weights were made of."""
        self._statistics: dict[str, Statistics] = {}
        self._weighed: dict[tuple[object, ...], Weighed] = {}
        self._ranges: dict[tuple[str, Ranging], TensorRanges] = {}
        self._errors: dict[tuple[str, Ranging, bool], dict[str, float]] = {}

    def scaled(self, ranging: Ranging, watch: Watch | None = None) -> Variant:
        """With the first repair alone, which needs neither ranges nor to know what stays float.

        Args:
            watch: See `begin`.
        """
        count, given = ranging.scaling_samples, self.given
        if count not in self._scaled:
            if count:
                # How far channels reach must be known of more than a few.
                known = channel_statistics(given.model, self._spread_feeds(count), self._progress)
                model = scale_inputs(given.model, known, self._channel_squares(count))
                self._scaled[count] = self._written(model, (INPUT_SCALING,))
            else:
                with suppress(_OutdatedError):
                    self._collected(given, ranging, watch, self._leave_if_scaled)
                self._scaled[count] = self._scaled_by_first
        return self._scaled[count]

    @cached_property
    def _scaled_by_first(self) -> Variant:
        assert self._first is not None
        return self._written(scale_inputs(self.given.model, self._first), (INPUT_SCALING,))

    def _leave_if_scaled(self, first: Statistics) -> None:
        """Raises:
        _OutdatedError: The other samples need not be run, but for what is made of this model.
        """
        self._first = first
        if self._scaled_by_first.sha256 != self.given.sha256:
            raise _OutdatedError

    def _keep_first(self, first: Statistics) -> None:
        self._first = first

    def _channel_squares(self, count: int) -> dict[str, NDArray[np.float64]]:
        samples = self._samples.at(spread(len(self._samples), count))
        tensors = tensors_of(self.given.model)
        return channel_squares(self.given.onnx, self._spec, tensors, samples, self._progress)

    def repaired(
        self,
        names: Sequence[str],
        ranging: Ranging,
        kept: Sequence[str],
        scaled: Variant | None = None,
    ) -> Variant:
        """The model after these repairs.

        Args:
            ranging: Gives the ranges that weights are fitted to.
            kept: Names of the groups that stay float.
            scaled: The model after the first repair, where that is known.
        """
        if scaled is None:
            scaled = self.scaled(ranging) if INPUT_SCALING in names else self.given
        late = tuple(name for name in names if name != INPUT_SCALING)
        if not late:
            return scaled
        model, _ = repair(
            scaled.model,
            late,
            lambda: self._few_feeds(_REPAIR_SAMPLES),
            lambda _: self._measured(scaled, ranging),
            self._progress,
            kept,
        )
        made = self._written(model, tuple(names))
        self._before[made.sha256] = scaled
        return made

    def ranges(self, variant: Variant, ranging: Ranging) -> TensorRanges:
        """Of the activations; of a variant whose weights are fitted those they were fitted for."""
        return self._measured(self._before_fitting(variant), ranging)

    def is_weighed(self, variant: Variant, ranging: Ranging) -> bool:
        """Whether `fisher`'s ranges are others than `mse`'s: a gradient reaches some tensors."""
        tensors = self._weighed_of(variant, ranging).tensors.values()
        return any(each.importance is not None for each in tensors)

    def begin(self, repairs: Collection[str], ranging: Ranging, watch: Watch | None = None) -> None:
        """The ranges that a plan begins with, where weights get these repairs.

        Args:
            watch: Is told the float model's outputs if it is run as it was given.
        """
        variant = self.scaled(ranging, watch) if INPUT_SCALING in repairs else self.given
        if variant.sha256 == self.given.sha256:
            self._collected(variant, ranging, watch)
        self.ranges(variant, ranging)

    def errors(
        self, variant: Variant, ranging: Ranging, feeds: list[Feeds], shifted: bool = False
    ) -> dict[str, float]:
        """At the outputs, where one tensor or the inside of one group is rounded; `part_errors`.

        Where gradients chose the ranges, they also tell what rounding a tensor or weights costs,
        and of more samples than could be run with each of them rounded.

        Args:
            shifted: With what rounded weights add to means taken out again.
        """
        key = variant.sha256, ranging, shifted
        if key not in self._errors:
            ranges, few = self._measured(variant, ranging), self._few_feeds(_REPAIR_SAMPLES)
            shifts: Shifts = NO_SHIFTS
            known: dict[str, float] = {}
            if ranging.method == "fisher":
                known = self._expected(variant, ranging, ranges, shifted)
            if not switches(variant.model, variant.groups, ranges) <= known.keys():
                if shifted:
                    shifts = weight_shifts(variant.model, few, ranges, (), self._progress)
                known |= part_errors(
                    variant.onnx, ranges, feeds, self._spec, self._progress, shifts, known
                )
            self._errors[key] = known
        return self._errors[key]

    def _expected(
        self, variant: Variant, ranging: Ranging, ranges: TensorRanges, shifted: bool
    ) -> dict[str, float]:
        """As gradients tell it."""
        model, weighed = variant.model, self._weighed_of(variant, ranging)
        tensors = expected_errors(model, self._spec, weighed, ranges)
        corrected = shifted_layers(model, ranges) if shifted else ()
        layers = {
            name: each.error(shifted=name in corrected) for name, each in weighed.layers.items()
        }
        settled = settled_tensors(model, dict(ranging.fixed))
        groups = with_ranges(variant.groups, ranges)
        return tensors | inside_errors(groups, tensors, layers, settled)

    def told(
        self, variant: Variant, ranging: Ranging, kept: Sequence[str], errors: Mapping[str, float]
    ) -> tuple[GroupPlan, ...]:
        """What a plan means for each group; see `group_plans`."""
        measured = self._before_fitting(variant)
        return group_plans(
            measured.model,
            measured.groups,
            self._measured(measured, ranging),
            self._statistics_of(measured).tensors,
            kept,
            errors,
        )

    def _before_fitting(self, variant: Variant) -> Variant:
        """Which has the ranges that weights were fitted for."""
        return self._before.get(variant.sha256, variant)

    def _measured(self, variant: Variant, ranging: Ranging) -> TensorRanges:
        key = variant.sha256, ranging
        if key not in self._ranges:
            self._ranges[key] = model_ranges(
                variant.model,
                self._spec,
                self._collected(variant, ranging),
                ranging.method,
                ranging.bits,
                dict(ranging.fixed),
            )
        return self._ranges[key]

    def _collected(
        self,
        variant: Variant,
        ranging: Ranging,
        watch: Watch | None = None,
        see: See | None = None,
    ) -> Statistics:
        """What ranges are chosen by."""
        if ranging.method == "fisher":
            return self._weighed_of(variant, ranging, watch, see)
        return self._statistics_of(variant, see)

    def _first_look(self, variant: Variant, see: See | None) -> FirstLook | None:
        """Whatever the given model is run for, its channels are known afterwards."""
        is_given = variant.sha256 == self.given.sha256
        return FirstLook(_SCALING_SAMPLES, see or self._keep_first) if is_given else None

    def _statistics_of(self, variant: Variant, see: See | None = None) -> Statistics:
        """Of the activations, which fitted weights are not meant to change."""
        known = variant.sha256
        if known not in self._statistics:
            first = self._first_look(variant, see)
            self._statistics[known] = statistics_of(
                variant.onnx, self._samples, self._progress, first
            )
        return self._statistics[known]

    def _weighed_of(
        self,
        variant: Variant,
        ranging: Ranging,
        watch: Watch | None = None,
        see: See | None = None,
    ) -> Weighed:
        """With gradients of the task, which take some runs' time for each sample."""
        key = variant.sha256, ranging.fixed, ranging.gradients
        if key not in self._weighed:
            known = self._statistics.get(variant.sha256)
            found = weighed_statistics(
                variant.onnx,
                variant.model,
                self._spec,
                self._samples,
                self._progress,
                dict(ranging.fixed),
                ranging.gradients,
                known,
                watch,
                self._first_look(variant, see),
            )
            self._weighed[key] = found
            self._statistics.setdefault(variant.sha256, found)
        return self._weighed[key]

    def _written(self, model: ModelProto, names: tuple[str, ...]) -> Variant:
        data = model.SerializeToString(deterministic=True)
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 == self.given.sha256:
            return dataclasses.replace(self.given, repairs=names)
        path = self._folder / f"{sha256[:16]}.onnx"
        path.write_bytes(data)
        return Variant(path, names, sha256)

    def _spread_feeds(self, count: int) -> Iterator[Feeds]:
        for sample in self._samples.at(spread(len(self._samples), count)):
            yield sample.feeds

    def _few_feeds(self, count: int) -> Iterator[Feeds]:
        """The last calibration samples: the first are those that decide and are reported on."""
        total = len(self._samples)
        for sample in self._samples.between(max(0, total - count), total):
            yield sample.feeds
