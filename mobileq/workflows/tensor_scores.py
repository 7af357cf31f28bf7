"""What `mobileq validate` measures of models whose outputs are numbers without a known meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from mobileq.calibration.samples import SampleSet, open_samples
from mobileq.errors import VerificationError
from mobileq.evaluate.numeric import OutputComparer
from mobileq.evaluate.report import ArtifactScores
from mobileq.progress import Progress, tracked
from mobileq.spec import ModelSpec
from mobileq.targets.base import Runner, Tensors
from mobileq.workflows.opening import OpenModel

Latency = Callable[[Runner, Tensors], float]


def open_tensors(spec: ModelSpec, path: Path, count: int | None, progress: Progress) -> SampleSet:
    """What the model is run on: whatever `--calib` takes.

    Raises:
        UsageError, InputError: As `open_samples`.
    """
    samples = open_samples(path, spec.preprocess, spec.inputs, count, progress=progress)
    for name, reason in samples.skipped:
        progress.notice(f"Skipped: {name} {reason}")
    for notice in samples.notices:
        progress.notice(notice)
    return samples


def tensor_scores(
    models: Sequence[OpenModel], samples: SampleSet, latency: Latency, progress: Progress
) -> tuple[ArtifactScores, ...]:
    """Each file's numbers against those of the first, the ONNX model, which runs beside it: the
    outputs of all samples need not be in memory.

    Args:
        models: The reference, then the files.
        latency: (runner, inputs) -> milliseconds.
    """
    reference = models[0]
    return tuple(_scores(model, reference, samples, latency, progress) for model in models)


def _scores(
    model: OpenModel, reference: OpenModel, samples: SampleSet, latency: Latency, progress: Progress
) -> ArtifactScores:
    comparers = {spec.name: OutputComparer(spec.name) for spec in reference.outputs}
    feeds: Tensors = {}
    with ExitStack() as opened:
        runner = opened.enter_context(closing(model.open()))
        beside = None if model is reference else opened.enter_context(closing(reference.open()))
        rows = tracked(samples, progress, f"Running {model.name}", len(samples))
        for sample in rows:
            feeds = sample.feeds
            found = runner.run(feeds)
            if beside is None:
                continue
            for name, wanted in beside.run(feeds).items():
                _require_shape(model.name, name, wanted.shape, found[name].shape)
                comparers[name].update(wanted, found[name])
        results = [comparer.result() for comparer in comparers.values()] if beside else []
        return ArtifactScores(
            name=model.name,
            interpreter=runner.interpreter,
            size_bytes=model.path.stat().st_size,
            latency_ms=latency(runner, feeds),
            sqnr_db=min((each.sqnr_db for each in results if each.sqnr_db is not None),
                        default=None),
            cosine=min((each.cosine for each in results), default=None),
        )  # fmt: skip


def _require_shape(file: str, name: str, wanted: tuple[int, ...], found: tuple[int, ...]) -> None:
    if wanted != found:
        raise VerificationError(
            f"The output {name!r} of {file} comes out as {list(found)} where the ONNX model gives "
            f"{list(wanted)}.",
            "Convert the model again, or report it.",
        )
