"""The pictures or tensors that files are measured on, with labels where there are some."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mobileq.errors import UsageError
from mobileq.progress import Progress
from mobileq.spec import ModelSpec
from mobileq.tasks.base import Truth, task_of
from mobileq.workflows.decision import picture_samples

if TYPE_CHECKING:
    from mobileq.calibration.samples import Sample


@dataclass(frozen=True)
class GivenSamples:
    """What all files are run on, as often as it is asked for; `keys` go with `truth`."""

    count: int
    runs: int
    each: Callable[[], Iterator[Sample]]
    truth: Truth | None = None
    keys: tuple[int, ...] = ()


def require_count(count: int | None, threads: int) -> None:
    """Raise UsageError for what is out of bounds."""
    for value, option, least in ((count, "--count", 1), (threads, "--threads", 0)):
        if value is not None and value < least:
            raise UsageError(f"{option} can't be {value}.", f"Give {least} or more.")


def given_samples(
    spec: ModelSpec, images: Path, annotations: Path | None, count: int | None, progress: Progress
) -> GivenSamples:
    """As a model takes them, with notices about what was skipped.

    Args:
        annotations: Labels; None: whatever `convert --calib` takes will do for `images`.
        count: How many, spread evenly over them; None: all.

    Raises:
        UsageError: There is nothing at a path, or the task has no labels.
        InputError: No labelled picture is in the folder, or what is there can't be read.
    """
    from mobileq.calibration.samples import evenly, open_samples

    if annotations is None:
        samples = open_samples(images, spec.preprocess, spec.inputs, count, None, progress=progress)
        for name, reason in samples.skipped:
            progress.notice(f"Skipped: {name} {reason}")
        for notice in samples.notices:
            progress.notice(notice)
        return GivenSamples(len(samples.ids), len(samples), lambda: iter(samples))
    truth = task_of(spec).truth(annotations, images)
    for notice in truth.notices:
        progress.notice(notice)
    pictures = truth.images
    if count is not None and count < len(pictures):
        pictures = tuple(pictures[at] for at in evenly(len(pictures), count))
    keys, paths = tuple(key for key, _ in pictures), [path for _, path in pictures]
    return GivenSamples(len(keys), len(keys), lambda: picture_samples(spec, paths), truth, keys)
