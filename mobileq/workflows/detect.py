"""`mobileq detect`: run a model on pictures, write COCO results, draw boxes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mobileq.calibration.image_files import IMAGE_SUFFIXES
from mobileq.calibration.sources import printable
from mobileq.errors import InputError, UsageError, VerificationError
from mobileq.evaluate.coco import CocoResult, category_ids_for, to_coco_results
from mobileq.progress import Progress, Silent, tracked
from mobileq.spec import DecodeSpec, Spec
from mobileq.workflows.opening import OpenModel, Overrides, open_model
from mobileq.workflows.results import require_file_place, require_folder_place, written_whole

if TYPE_CHECKING:
    from mobileq.evaluate.dataset import GroundTruth
    from mobileq.targets.base import Runner, Tensors
    from mobileq.vision.detections import ByteArray, Detections
    from mobileq.vision.nms import Thresholds


class DetectedObject(Spec, frozen=True, kw_only=True):
    """Box in pixels of the picture."""

    label: str
    class_id: int
    score: float
    xyxy: tuple[float, ...]


class PictureDetections(Spec, frozen=True, kw_only=True):
    """What was found in one picture at the display thresholds; `drawn` is where it was drawn."""

    image: str
    objects: tuple[DetectedObject, ...]
    drawn: str | None = None


class DetectionRun(Spec, frozen=True, kw_only=True):
    """What `detect` prints."""

    model: str
    interpreter: str
    pictures: tuple[PictureDetections, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    coco: str | None = None


def detect(
    model: Path | str,
    images: Sequence[Path | str],
    *,
    artifact: str | None = None,
    coco: Path | None = None,
    annotations: Path | None = None,
    draw_to: Path | None = None,
    score: float | None = None,
    iou: float | None = None,
    overrides: Overrides | None = None,
    interpreter: str = "auto",
    progress: Progress | None = None,
) -> DetectionRun:
    """Run a bundle's artifact or a lone file on pictures.

    Args:
        images: Pictures, or folders of them.
        coco: Write COCO results in original pixels there: nearly everything, ranked, as mAP is
            measured, or what passes `score` where it is given.
        annotations: COCO json whose image and category ids the results take; without it category
            ids are class indices, and image ids the number in the file name, else the position.
        draw_to: Folder for the pictures with boxes.
        score, iou: Instead of the model's display thresholds.
        interpreter: For .tflite files: "ai_edge_litert", "tensorflow" or "auto".

    Raises:
        UsageError: No pictures, or the model's outputs can't be decoded.
        InputError: No picture can be read.
        VerificationError: A lone file's outputs change from one run to the next.
    """
    progress = progress or Silent()
    paths = _picture_paths([Path(image) for image in images])
    if coco is not None:
        require_file_place(coco, "--coco")
    if draw_to is not None:
        require_folder_place(draw_to, "--output")
    opened = open_model(Path(model), artifact, overrides or Overrides())
    for notice in opened.notices:
        progress.notice(notice)
    decode = opened.spec.decode
    if decode is None or opened.spec.preprocess is None:
        raise UsageError(
            f"Detections of {opened.name} can't be decoded: its family is not known.",
            "Say it with --family, or describe it with --spec FILE.toml.",
        )
    truth = _truth(annotations, paths, progress)
    opened = dataclasses.replace(opened, interpreter=interpreter)
    shown = _display(decode, score, iou)
    run = _Run(opened, shown, _evaluated(shown, score), draw_to, coco is not None)
    run.over(paths, _image_ids(paths, truth), _category_ids(opened, truth), progress)
    if coco is not None:
        import json

        with written_whole(coco, "--coco") as file:
            file.write_text(json.dumps(run.results))
    return DetectionRun(
        model=opened.name,
        interpreter=run.interpreter,
        pictures=tuple(run.pictures),
        skipped=tuple(run.skipped),
        coco=str(coco) if coco else None,
    )


class _Run:
    """The loop over the pictures and what it gathers."""

    def __init__(
        self,
        model: OpenModel,
        shown: Thresholds,
        evaluated: Thresholds,
        draw_to: Path | None,
        keep_results: bool,
    ) -> None:
        self._model, self._shown, self._evaluated = model, shown, evaluated
        self._draw_to, self._keep_results = draw_to, keep_results
        self.interpreter = ""
        self.pictures: list[PictureDetections] = []
        self.skipped: list[tuple[str, str]] = []
        self.results: list[CocoResult] = []

    def over(
        self,
        paths: Sequence[Path],
        image_ids: Sequence[int],
        category_ids: Sequence[int],
        progress: Progress,
    ) -> None:
        """Run all pictures; those that can't be read are skipped with a notice."""
        from mobileq.vision.preprocess import read_image

        names = _drawing_names(paths)
        runner = self._model.open()
        self.interpreter = runner.interpreter
        try:
            pairs = zip(paths, image_ids, names, strict=True)
            for path, image_id, name in tracked(pairs, progress, "Detecting", len(paths)):
                try:
                    image = read_image(path)
                except InputError as error:
                    self.skipped.append((printable(str(path)), printable(error.message)))
                    progress.notice(f"Skipped: {error.message}")
                    continue
                self._one(runner, image, path, image_id, name, category_ids)
        finally:
            runner.close()
        if not self.pictures:
            raise InputError(
                "None of the pictures can be read.", "Give JPEG or PNG files that are whole."
            )

    def _one(
        self,
        runner: Runner,
        image: ByteArray,
        path: Path,
        image_id: int,
        name: str,
        category_ids: Sequence[int],
    ) -> None:
        from mobileq.vision.postprocess import postprocess
        from mobileq.vision.preprocess import feed_picture

        spec = self._model.spec
        assert spec.decode is not None
        feeds, transform = feed_picture(spec, image)
        outputs = runner.run(feeds)
        if not self.pictures and not self._model.is_verified:
            _require_repeatable(self._model, runner, feeds, outputs)
        if self._keep_results:
            ranked = postprocess(spec.decode, outputs, transform, self._evaluated)
            self.results += to_coco_results(ranked, image_id, category_ids)
        found = postprocess(spec.decode, outputs, transform, self._shown)
        drawn = self._draw(image, found, name) if self._draw_to else None
        self.pictures.append(
            PictureDetections(image=printable(str(path)), objects=self._objects(found), drawn=drawn)
        )

    def _objects(self, found: Detections) -> tuple[DetectedObject, ...]:
        return tuple(
            DetectedObject(
                label=self._model.spec.labels[class_id],
                class_id=int(class_id),
                score=round(float(score), 5),
                xyxy=tuple(round(float(value), 2) for value in box),
            )
            for box, score, class_id in zip(found.xyxy, found.score, found.class_id, strict=True)
        )

    def _draw(self, image: ByteArray, found: Detections, name: str) -> str:
        from mobileq.vision.draw import draw_detections
        from mobileq.vision.image_file import write_image

        assert self._draw_to is not None
        target = self._draw_to / name
        with written_whole(target, "--output") as file:
            write_image(file, draw_detections(image, found, self._model.spec.labels))
        return printable(str(target))


def _require_repeatable(model: OpenModel, runner: Runner, feeds: Tensors, outputs: Tensors) -> None:
    """Refuse a file that reads memory which nobody wrote: what it finds is made up."""
    from mobileq.evaluate.verify import repeats

    if not repeats(runner, model.open, feeds, outputs):
        raise VerificationError(
            f"{model.name} gives other outputs for the same picture from one run to the next.",
            "The file is broken: convert its ONNX model with `mobileq convert`.",
        )


def _display(decode: DecodeSpec, score: float | None, iou: float | None) -> Thresholds:
    from mobileq.vision.nms import Thresholds

    return Thresholds(
        score=decode.score_threshold if score is None else score,
        iou=decode.iou_threshold if iou is None else iou,
    )


def _evaluated(shown: Thresholds, score: float | None) -> Thresholds:
    """COCO results are ranked lists: all of it, unless the person set a threshold."""
    from mobileq.vision.nms import Thresholds

    return Thresholds.evaluation() if score is None else shown


def _picture_paths(images: Sequence[Path]) -> list[Path]:
    from mobileq.calibration.image_files import folder_source

    paths: list[Path] = []
    for image in images:
        if image.is_dir():
            paths += folder_source(image).paths
        elif image.exists():
            paths.append(image)
        else:
            raise UsageError(f"There is no picture {image}.", "Check the path.")
    if not paths:
        raise UsageError("No pictures were given.", "Name pictures or folders of them.")
    return paths


def _truth(
    annotations: Path | None, paths: Sequence[Path], progress: Progress
) -> GroundTruth | None:
    if annotations is None:
        return None
    from mobileq.evaluate.dataset import load_ground_truth

    folder = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    return load_ground_truth(annotations, folder)


def _image_ids(paths: Sequence[Path], truth: GroundTruth | None) -> list[int]:
    """The annotations' ids by file name; else the number in the name where all have one."""
    if truth is not None:
        known = {Path(entry["file_name"]).name: int(entry["id"]) for entry in truth.coco["images"]}
        missing = [path.name for path in paths if path.name not in known]
        if missing:
            raise InputError(
                f"The annotations don't know the picture {missing[0]}.",
                "Give the annotations of these pictures, or leave out --annotations.",
            )
        return [known[path.name] for path in paths]
    if all(path.stem.isdecimal() for path in paths):
        numbers = [int(path.stem) for path in paths]
        if len(set(numbers)) == len(numbers):
            return numbers
    return list(range(len(paths)))


def _category_ids(model: OpenModel, truth: GroundTruth | None) -> Sequence[int]:
    assert model.spec.decode is not None
    if truth is None:
        return range(model.spec.decode.class_count)
    return category_ids_for(
        model.spec.labels, model.spec.decode.class_count, truth.coco["categories"]
    )


def _drawing_names(paths: Sequence[Path]) -> list[str]:
    """File names for the drawings; pictures of one name from two folders stay apart."""
    names: list[str] = []
    for path in paths:
        suffix, number = path.suffix, 2
        if suffix.lower() not in IMAGE_SUFFIXES:  # a picture all the same, by its contents
            suffix += ".png"
        name = path.stem + suffix
        while name in names:
            name = f"{path.stem}-{number}{suffix}"
            number += 1
        names.append(name)
    return names
