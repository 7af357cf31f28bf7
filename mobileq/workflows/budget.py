"""What a file may lose: the labelled pictures that tell, and what was lost on them."""

from __future__ import annotations

from contextlib import closing

from mobileq.progress import Progress
from mobileq.targets.base import Target
from mobileq.targets.reference import ReferenceRunner
from mobileq.tasks.base import Task, Truth
from mobileq.workflows.decision import Decision, Pictures
from mobileq.workflows.making import Made
from mobileq.workflows.request import ConvertOptions
from mobileq.workflows.source import Source


def open_truth(options: ConvertOptions, task: Task, progress: Progress) -> Truth | None:
    """The labels of --annotations; None where there are none. Raises as `Task.truth`."""
    if options.annotations is None:
        return None
    truth = task.truth(options.annotations, options.eval_images)
    for notice in truth.notices:
        progress.notice(notice)
    return truth


def lost_on(
    pictures: Pictures, source: Source, target: Target, made: Made, progress: Progress
) -> float | None:
    """Of the task's measure, what a file loses against the float model; see `Score.lost`."""
    spec, artifact = source.spec, made.artifact
    with (
        closing(ReferenceRunner(source.onnx, spec.inputs, spec.outputs)) as reference,
        closing(target.open(made.path, artifact.inputs, artifact.outputs)) as runner,
    ):
        lost = Decision.of(reference, spec, pictures, progress).score(runner).lost
        return None if lost is None else lost.value
