"""What quantization did to a file, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from mobileq.calibration.ranges import Method
from mobileq.page import plural
from mobileq.quantize.plan import QuantPlan
from mobileq.reporting.contents import Subject
from mobileq.reporting.files import told_ops
from mobileq.spec import CALIBRATED, Artifact

_METHODS: dict[Method | str, str] = {
    "mse": "chosen so that rounding and clipping together cost least (mse)",
    "percentile": "that leave the outermost values out (percentile)",
    "min_max": "from the least to the greatest value seen (min_max)",
    "moving_average": "averaged over the pictures (moving_average)",
    "entropy": "that keep the distribution of values (entropy)",
    "admm": "fitted by MNN's rule (admm)",
    "fisher": "chosen so that rounding and clipping together change answers least, by gradients "
    "(fisher)",
}
_REPAIRS = {
    "input-scaling": "the channels of activations were given equal ranges, where that takes noise "
    "away; the next layers' weights take it back",
    "weight-rounding": "weights are rounded so that their errors cancel, not each to the nearest",
    "compensated-rounding": "weights are rounded so that their errors cancel about the mean",
    "weight-shift": "what rounded weights add to the mean of a channel is taken out of its bias",
    "bias-correction": "what rounding adds to the mean of a channel is taken out of its bias",
}
_WEIGHTS = {
    "fp32": "Nothing is quantized.",
    "fp16": "Weights are 16-bit floats; everything is computed in float.",
    "w8": "Weights are 8-bit integers; everything is computed in float.",
    "dynamic": "Weights are 8-bit integers; ranges of activations are found at each run.",
    "int8": "Weights and activations are 8-bit integers, but where ops stay float.",
    "int8-full": "Weights and activations are 8-bit integers throughout.",
    "int16x8": "Weights are 8-bit, activations 16-bit integers.",
}


def what_was_done(subject: Subject, artifact: Artifact) -> list[str]:
    """A sentence for each decision that made the file what it is."""
    plan = subject.report.plans.get(artifact.name)
    first = _WEIGHTS[artifact.precision]
    return [first, *_ranges(subject, artifact), *_plan(subject, artifact, plan)]


def _ranges(subject: Subject, artifact: Artifact) -> Iterator[str]:
    recipe, calibration = artifact.recipe, subject.manifest.calibration
    if artifact.precision not in CALIBRATED:
        return
    if recipe.calibrator is not None and calibration is not None:
        how = _METHODS.get(recipe.calibrator, f"by {recipe.calibrator}")
        pictures = plural(calibration.count, "calibration sample")
        yield f"Activations have ranges from {pictures}, {how}."
    elif recipe.calibrator is not None:
        yield f"Activations have the ranges that the model came with ({recipe.calibrator})."
    if recipe.head == "raw":
        yield "The file ends at the model's last convolutions; decoding is done in float behind it."


def _plan(subject: Subject, artifact: Artifact, plan: QuantPlan | None) -> Iterator[str]:
    kept = len(artifact.recipe.keep_float)
    if kept:
        yield (
            f"{plural(kept, 'group')} of ops {'stays' if kept == 1 else 'stay'} float, those that "
            f"integers hurt most; the file has {told_ops(artifact)} ops."
        )
    for name in artifact.recipe.repairs:
        told = _REPAIRS.get(name, name)
        yield f"{told[0].upper()}{told[1:]} ({name})."
    if plan is not None and plan.trials:
        measure = subject.measure
        lost = ""
        if plan.decided_lost is not None and measure is not None:
            lost = f", where the one that was taken lost {plan.decided_lost:z.4f} of {measure.name}"
        tried = plural(len(plan.trials), "file")
        yield f"{tried} were made and tried on {plan.decided_on}{lost}."
    yield from artifact.notes
