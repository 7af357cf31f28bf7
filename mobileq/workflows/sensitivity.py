"""`mobileq sensitivity`: which ops of a model quantization hurts, and what they look like."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, get_args

from mobileq.cache import ResultCache
from mobileq.calibration.ranges import Method
from mobileq.calibration.statistics import collect
from mobileq.errors import InputError, UsageError
from mobileq.manifest import to_json
from mobileq.onnx_runtime import kept_child
from mobileq.paths import StrPath
from mobileq.progress import Progress, listener
from mobileq.quantize.groups import find_groups
from mobileq.quantize.plan import model_ranges
from mobileq.quantize.sensitivities import Sensitivity
from mobileq.quantize.sensitivity import rank_groups
from mobileq.spec import TensorRanges
from mobileq.staging import temporary_folder
from mobileq.targets.registry import default_target
from mobileq.tasks.base import task_of
from mobileq.workflows.choices import ModelChoices, chosen_overrides, takes
from mobileq.workflows.inputs import open_calibration
from mobileq.workflows.opening import Overrides
from mobileq.workflows.planning import plan_given
from mobileq.workflows.results import require_folder_place, written_whole
from mobileq.workflows.source import Head, Source, prepare, with_head
from mobileq.workflows.stages import Stages

if TYPE_CHECKING:
    from onnx import ModelProto

    from mobileq.calibration.samples import SampleSet
    from mobileq.calibration.statistics import Statistics

JSON_NAME = "sensitivity.json"
CHART_NAME = "sensitivity.svg"
_RANGES: Method = "mse"
"""The calibrator that is best most often, and the one that `convert` ranks with."""


@takes(ModelChoices)
def sensitivity(
    model: StrPath,
    calib: StrPath,
    *,
    calib_count: int | None = None,
    seed: int = 0,
    head: Head = "auto",
    samples: int = 2,
    output: StrPath | None = None,
    overrides: Overrides | None = None,
    cache: bool = True,
    progress: Progress | None = None,
    **choices: Unpack[ModelChoices],
) -> Sensitivity:
    """Rank the groups of ops by what quantizing each alone to 8 bits costs.

    Args:
        model: An ONNX file.
        calib: Typical pictures: a folder, data.yaml, video or .npy.
        calib_count: How many to take ranges from; None: 64, or as many as there are.
        seed: Of the choice of pictures.
        head: "auto" looks at the model up to its last convolutions where it is known how to
            decode, as int8 files are made.
        samples: Pictures that each group is run on.
        output: Folder for sensitivity.json and sensitivity.svg.
        overrides, choices: What the model does not say itself, see `detect`.
        cache: Reuse what earlier runs prepared.

    Raises:
        UsageError: An option makes no sense, or the model's head can't be cut off.
        InputError: The model or the pictures can't be used.
    """
    progress = listener(progress)
    _check(calib_count, head, samples)
    folder = None if output is None else Path(output)
    if folder is not None:
        require_folder_place(folder, "--output")
    with (
        ResultCache(enabled=cache) as store,
        temporary_folder() as scratch,
        kept_child(),
    ):
        stages = Stages(store, scratch, progress)
        source = _source(stages, Path(model), chosen_overrides(overrides, choices), head, progress)
        pictures = open_calibration(source.spec, Path(calib), calib_count, seed, progress)
        found = _ranked(source, pictures, samples, progress)
        if store.notice:
            progress.notice(store.notice)
    if folder is not None:
        _write(found, folder)
    return found


def _check(calib_count: int | None, head: str, samples: int) -> None:
    if head not in get_args(Head):
        raise UsageError(f"--head can't be {head!r}.", f"Choose of: {', '.join(get_args(Head))}.")
    if calib_count is not None and calib_count < 1:
        raise UsageError("--calib-count must be at least 1.", "Use 64, the default.")
    if samples < 1:
        raise UsageError("--samples must be at least 1.", "Use 2, the default.")


def _source(
    stages: Stages, model: Path, overrides: Overrides, head: Head, progress: Progress
) -> Source:
    """The model with the head that its int8 files would have."""
    source = prepare(stages, model, overrides)
    for notice in source.info.notices:
        progress.notice(notice)
    return with_head(stages, source, head)


def _ranked(source: Source, pictures: SampleSet, samples: int, progress: Progress) -> Sensitivity:
    import onnx

    spec = source.spec
    model = onnx.load(source.onnx)
    groups = find_groups(model)
    if not groups:
        raise InputError(
            f"{spec.name} has no ops with weights that could be quantized.",
            "Give a model with convolutions.",
        )
    feeds = [sample.feeds for sample in islice(pictures, samples)]
    if samples > len(pictures):
        progress.notice(f"{samples} samples were asked for; there are {len(pictures)}.")
    every = (sample.feeds for sample in pictures)
    statistics = collect(source.onnx.read_bytes(), None, every, progress, len(pictures))
    ranges, named = _ranges(source, model, statistics)
    ranked = rank_groups(model, groups, ranges, feeds, spec, progress, statistics, answers=True)
    task = task_of(spec)
    if task.measure is not None and all(group.agreement is None for group in ranked):
        progress.notice(
            f"The model {task.measure.nothing} in the {len(feeds)} pictures that groups are run "
            f"on, so that their order says little; give --calib {task.measure.wanted}, or more "
            "--samples."
        )
    return Sensitivity(
        model=spec.name,
        family=spec.family,
        head=source.head,
        ranges=named,
        calibration_images=len(pictures),
        samples=len(feeds),
        error_of=task.error_of,
        task=task.name,
        groups=ranked,
    )


def _ranges(source: Source, model: ModelProto, statistics: Statistics) -> tuple[TensorRanges, str]:
    given = plan_given(source, ())
    if given is not None:
        return given.ranges, given.calibrator
    fixed = default_target().fixed_ranges
    return model_ranges(model, source.spec, statistics, _RANGES, fixed=fixed), _RANGES


def _write(found: Sensitivity, folder: Path) -> None:
    from mobileq.reporting.sensitivity_chart import chart

    texts = {JSON_NAME: to_json(found), CHART_NAME: chart(found).encode()}
    for name, content in texts.items():
        with written_whole(folder / name, "--output") as file:
            file.write_bytes(content)
