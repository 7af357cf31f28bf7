"""`mobileq validate`: every file of a bundle, and the ONNX model, measured on the same images."""

from __future__ import annotations

import dataclasses
import os
import platform
import statistics
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mobileq.bundle import Bundle, BundleWriter, read_bundle, require_artifacts, verify_bundle
from mobileq.errors import InputError, UsageError, unreadable
from mobileq.evaluate.report import ArtifactScores, Report, Validation
from mobileq.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, from_json, to_json
from mobileq.paths import StrPath, optional_path
from mobileq.progress import Progress, listener, tracked
from mobileq.regular_file import read_regular
from mobileq.spec import ModelSpec
from mobileq.targets.base import Runner, Tensors
from mobileq.tasks.detect.coco import (
    CocoResult,
    agreement,
    category_ids_for,
    mean_average_precision,
    to_coco_results,
)
from mobileq.workflows.opening import OpenModel, of_artifact, reference_of
from mobileq.workflows.results import require_file_place, written_whole
from mobileq.workflows.tensor_scores import open_tensors, tensor_scores

if TYPE_CHECKING:
    from mobileq.tasks.detect.detections import Detections
    from mobileq.tasks.detect.labels.dataset import GroundTruth

LATENCY_RUNS = 20
LATENCY_WARMUP = 3


@dataclass(frozen=True)
class _Measured:
    """What one file found, per picture in the order of the pictures."""

    model: OpenModel
    interpreter: str
    latency_ms: float
    evaluated: list[Detections]
    shown: list[Detections]


def validate(
    bundle: StrPath,
    images: StrPath,
    annotations: StrPath | None = None,
    *,
    output: StrPath | None = None,
    count: int | None = None,
    runs: int | None = None,
    threads: int = 0,
    interpreter: str = "auto",
    progress: Progress | None = None,
) -> Validation:
    """Measure accuracy, agreement with the ONNX model, and latency of every artifact.

    Of a model without boxes the outputs' numbers are compared: SQNR and cosine.

    Args:
        bundle: A bundle's folder.
        images: A folder of pictures; without boxes, whatever `convert --calib` takes.
        annotations: COCO json or a data.yaml; without it there is no mAP, only agreement.
        output: Where to write report.json; by default into the bundle, whose manifest then
            repeats the figures.
        count: How many of the pictures, spread evenly over them; None: all.
        runs: Inferences that latency is the median of; None: 20, fewer where one takes long.
        threads: Of each inference; 0: one for each processor.
        interpreter: For .tflite files: "ai_edge_litert", "tensorflow" or "auto".

    Raises:
        UsageError: Labels are given for a model without boxes, or there is nothing at a path.
        InputError: No picture of the annotations is in the folder, or a file is damaged, or the
            bundle is not as it was written.
    """
    progress = listener(progress)
    _check(count, runs, threads)
    opened = read_bundle(Path(bundle))
    require_artifacts(opened)
    _require_whole(opened)
    report = optional_path(output)
    if report is not None:
        require_file_place(report, "--output")
    spec = opened.manifest.model
    is_detector = spec.decode is not None and spec.preprocess is not None
    if annotations is not None and not is_detector:
        raise UsageError(
            f"--annotations are of boxes, and no boxes are known in the outputs of {spec.name}.",
            "Leave them out to compare numbers, or convert it again with --family or --spec.",
        )
    candidates = [reference_of(opened.path, spec)]
    candidates += [of_artifact(opened.path, spec, a) for a in opened.manifest.artifacts]
    candidates = [
        dataclasses.replace(model, interpreter=interpreter, threads=threads) for model in candidates
    ]
    found = partial(
        Validation,
        annotations=Path(annotations).name if annotations else None,
        machine=f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()}",
        threads=threads,
    )
    if is_detector:
        truth = _ground_truth(annotations, Path(images), progress)
        pictures = _spread(_pictures(truth, Path(images), progress), count)
        measured = [_measure(model, pictures, runs, progress) for model in candidates]
        scores = tuple(_scores(each, measured[0], truth, pictures, progress) for each in measured)
        validation = found(images=len(pictures), scores=scores)
    else:
        samples = open_tensors(spec, Path(images), count, progress)
        latency = partial(_latency, runs=runs)
        validation = found(
            images=len(samples), scores=tensor_scores(candidates, samples, latency, progress)
        )
    _write(opened, validation, report)
    return validation


def _check(count: int | None, runs: int | None, threads: int) -> None:
    for value, option, least in (
        (count, "--count", 1),
        (runs, "--runs", 1),
        (threads, "--threads", 0),
    ):
        if value is not None and value < least:
            raise UsageError(f"{option} can't be {value}.", f"Give {least} or more.")


def _require_whole(bundle: Bundle) -> None:
    """Figures of a file that was changed would be wrong, and its new hash would be written.

    The manifest itself may differ: it is read strictly, and an older version may have written it.
    """
    found = verify_bundle(bundle.path)
    for names, what in (
        (found.missing, "is missing"),
        (tuple(name for name in found.changed if name != MANIFEST_NAME), "was changed"),
        (found.unexpected, "is not one of its files"),
    ):
        if names:
            raise InputError(
                f"{bundle.path} is not as it was written: {names[0]} {what}.",
                "See `mobileq verify`; make the bundle again with `mobileq convert`.",
            )


def _ground_truth(
    annotations: StrPath | None, images: Path, progress: Progress
) -> GroundTruth | None:
    if annotations is None:
        return None
    from mobileq.tasks.detect.labels.dataset import load_ground_truth

    truth = load_ground_truth(Path(annotations), images)
    for notice in truth.notices:
        progress.notice(notice)
    return truth


def _pictures(
    truth: GroundTruth | None, images: Path, progress: Progress
) -> list[tuple[int, Path]]:
    """(image id, path) of what is measured on."""
    if truth is not None:
        return list(truth.images)
    from mobileq.calibration.image_files import folder_source

    if not images.is_dir():
        raise UsageError(f"There is no folder {images}.", "Give the folder of the pictures.")
    return list(enumerate(folder_source(images).paths))


def _spread(pictures: list[tuple[int, Path]], count: int | None) -> list[tuple[int, Path]]:
    """`count` of them, each from the middle of an equal part."""
    if count is None or count >= len(pictures):
        return pictures
    return [pictures[(2 * part + 1) * len(pictures) // (2 * count)] for part in range(count)]


def _measure(
    model: OpenModel, pictures: list[tuple[int, Path]], runs: int | None, progress: Progress
) -> _Measured:
    """Run one file over all pictures."""
    from mobileq.tasks.detect.decode.arrays import picture_outputs
    from mobileq.tasks.detect.nms import Thresholds
    from mobileq.tasks.detect.postprocess import postprocess
    from mobileq.vision.preprocess import feed_picture, read_image

    spec = model.spec
    assert spec.decode is not None
    evaluated, shown = [], []
    feeds: Tensors = {}
    runner = model.open()
    try:
        for _, path in tracked(pictures, progress, f"Running {model.name}", len(pictures)):
            feeds, transform = feed_picture(spec, read_image(path))
            outputs = picture_outputs(runner.run(feeds), 0, spec.batch)
            evaluated.append(postprocess(spec.decode, outputs, transform, Thresholds.evaluation()))
            shown.append(
                postprocess(spec.decode, outputs, transform, Thresholds.display(spec.decode))
            )
        return _Measured(model, runner.interpreter, _latency(runner, feeds, runs), evaluated, shown)
    finally:
        runner.close()


def _latency(runner: Runner, feeds: Tensors, runs: int | None) -> float:
    """Median milliseconds of an inference; fewer runs where one takes long."""
    if runs is None:
        first = runner.latency(feeds, 1, 1)[0]
        runs = LATENCY_RUNS if first < 0.25 else 3
    return statistics.median(runner.latency(feeds, runs, LATENCY_WARMUP)) * 1000.0


def _scores(
    measured: _Measured,
    reference: _Measured,
    truth: GroundTruth | None,
    pictures: list[tuple[int, Path]],
    progress: Progress,
) -> ArtifactScores:
    accuracy = None
    if truth is not None:
        with progress.stage(f"Scoring {measured.model.name}"):
            results = coco_results(measured.model.spec, measured.evaluated, truth, pictures)
            accuracy = mean_average_precision(truth.coco, results, [i for i, _ in pictures])
    agreed = None
    if measured is not reference:
        agreed = agreement(reference.shown, measured.shown)
    return ArtifactScores(
        name=measured.model.name,
        interpreter=measured.interpreter,
        size_bytes=measured.model.path.stat().st_size,
        latency_ms=measured.latency_ms,
        accuracy=accuracy,
        agreement=agreed,
    )


def coco_results(
    spec: ModelSpec,
    detections: list[Detections],
    truth: GroundTruth,
    pictures: list[tuple[int, Path]],
) -> list[CocoResult]:
    """Detections of all pictures under the annotations' category ids."""
    assert spec.decode is not None
    ids = category_ids_for(spec.labels, spec.decode.class_count, truth.coco["categories"])
    return [
        result
        for (image_id, _), found in zip(pictures, detections, strict=True)
        for result in to_coco_results(found, image_id, ids)
    ]


def _write(bundle: Bundle, validation: Validation, output: Path | None) -> None:
    """report.json to `output`, or into the bundle, which is replaced as a whole."""
    report_path = bundle.path / "report.json"
    try:
        data = read_regular(report_path, MAX_MANIFEST_BYTES, "a report")
    except OSError as error:
        raise unreadable(report_path, error) from error
    report = from_json(data, Report, str(report_path), "Make the bundle again.")
    report = msgspec.structs.replace(report, validation=validation)
    if output is not None:
        with written_whole(output, "--output") as file:
            file.write_bytes(to_json(report))
        return
    names = [artifact.name for artifact in bundle.manifest.artifacts]
    manifest = msgspec.structs.replace(
        bundle.manifest, measurements={name: report.measurements(name) for name in names}
    )
    with BundleWriter(bundle.path, force=True) as writer:
        for path in bundle.manifest.files:
            if path != "report.json":
                writer.add_file(path, bundle.path / path)
        writer.add_bytes("report.json", to_json(report))
        writer.finish(manifest)
