"""`mobileq detect`: run a model on pictures, write COCO results, draw boxes."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Unpack

from mobileq.calibration.sources import printable
from mobileq.errors import InputError, UsageError, VerificationError
from mobileq.parallel import ahead, in_parallel
from mobileq.paths import StrPath, optional_path
from mobileq.progress import Progress, listener, tracked
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.base import task_of
from mobileq.tasks.detect.coco import CocoResult, category_ids_for, to_coco_results
from mobileq.tasks.detect.run import DetectedObject, DetectionRun, PictureDetections
from mobileq.workflows.choices import ModelChoices, chosen_overrides, takes
from mobileq.workflows.drawings import Drawings
from mobileq.workflows.json_list import JsonList, json_list
from mobileq.workflows.opening import OpenModel, Overrides, open_model
from mobileq.workflows.pictures import GivenPicture, Picture, Pictures
from mobileq.workflows.results import require_file_place, require_folder_place

if TYPE_CHECKING:
    from mobileq.targets.base import Runner, Tensors
    from mobileq.tasks.detect.detections import Detections
    from mobileq.tasks.detect.labels.dataset import GroundTruth
    from mobileq.tasks.detect.nms import Thresholds
    from mobileq.vision.letterbox import LetterboxTransform


@takes(ModelChoices)
def detect(
    model: StrPath,
    images: GivenPicture | Iterable[GivenPicture],
    *,
    artifact: str | None = None,
    coco: StrPath | None = None,
    annotations: StrPath | None = None,
    draw_to: StrPath | None = None,
    score: float | None = None,
    iou: float | None = None,
    overrides: Overrides | None = None,
    interpreter: str = "auto",
    progress: Progress | None = None,
    **choices: Unpack[ModelChoices],
) -> DetectionRun:
    """Run a bundle's artifact or a lone file on pictures.

    Args:
        images: One or several of: picture files, folders, patterns (`*.jpg`), videos, and arrays,
            uint8 [H, W, 3] in RGB, as `cv2.imread(...)[:, :, ::-1]` or Pillow's images.
        coco: Write COCO results in original pixels there: nearly everything, ranked, as mAP is
            measured, or what passes `score` where it is given.
        annotations: COCO json whose image and category ids the results take; without it category
            ids are class indices, and image ids the number in the file name, else the position.
        draw_to: Folder for the pictures with boxes.
        score, iou: Instead of the model's display thresholds.
        interpreter: For .tflite files: "ai_edge_litert", "tensorflow" or "auto".
        overrides, choices: What the model does not say itself; choices by the command's names:
            `family="yolov8"`, `labels="coco80"`.

    Raises:
        UsageError: No pictures, or the model's outputs can't be decoded.
        InputError: No picture can be read.
        VerificationError: A lone file's outputs change from one run to the next.
    """
    progress = listener(progress)
    pictures = Pictures(images)
    results, folder = _places(coco, draw_to)
    opened = open_model(Path(model), artifact, chosen_overrides(overrides, choices))
    for notice in (*pictures.notices, *opened.notices):
        progress.notice(notice)
    decode = _decoding(opened)
    truth = _truth(optional_path(annotations), pictures)
    opened = dataclasses.replace(opened, interpreter=interpreter)
    shown = _display(decode, score, iou)
    evaluated = _evaluated(shown, score) if results is not None else None
    with (
        json_list(results, "--coco") if results else nullcontext() as rows,
        Drawings(folder, task_of(opened.spec).draw) if folder else nullcontext() as drawings,
    ):
        run = _Run(opened, shown, evaluated, drawings, _category_ids(opened, truth))
        run.over(pictures, _image_ids(pictures.files, truth), rows, progress)
    return DetectionRun(
        model=opened.name,
        interpreter=run.interpreter,
        pictures=tuple(run.pictures),
        skipped=tuple(run.skipped),
        coco=str(results) if results else None,
    )


def _places(coco: StrPath | None, draw_to: StrPath | None) -> tuple[Path | None, Path | None]:
    """Where results can be written, before anything is run."""
    results, folder = optional_path(coco), optional_path(draw_to)
    if results is not None:
        require_file_place(results, "--coco")
    if folder is not None:
        require_folder_place(folder, "--output")
    return results, folder


def _decoding(model: OpenModel) -> DecodeSpec:
    if model.spec.decode is None or model.spec.preprocess is None:
        raise UsageError(
            f"Detections of {model.name} can't be decoded: its family is not known.",
            "Say it with --family, or describe it with --spec FILE.toml.",
        )
    return model.spec.decode


_IN_ADVANCE = 2
"""Pictures that are read and wait for the model."""


class _Fed(NamedTuple):
    """A picture as the model takes it; nothing to feed where it could not be read."""

    picture: Picture
    image_id: int
    feeds: Tensors | None = None
    transform: LetterboxTransform | None = None


class _Found(NamedTuple):
    detections: PictureDetections
    ranked: list[CocoResult]


class _Run:
    """Three threads side by side: the next picture is read and the last one's outputs too, while
    the model runs."""

    def __init__(
        self,
        model: OpenModel,
        shown: Thresholds,
        evaluated: Thresholds | None,
        drawings: Drawings | None,
        category_ids: Sequence[int],
    ) -> None:
        self._model, self._shown, self._evaluated = model, shown, evaluated
        self._drawings, self._category_ids = drawings, category_ids
        self.interpreter = ""
        self.pictures: list[PictureDetections] = []
        self.skipped: list[tuple[str, str]] = []

    def over(
        self,
        pictures: Pictures,
        image_ids: Iterator[int],
        results: JsonList | None,
        progress: Progress,
    ) -> None:
        """Run all pictures; those that can't be read are skipped with a notice."""
        runner = self._model.open()
        self.interpreter = runner.interpreter
        try:
            with closing(
                in_parallel(self._read, self._ran(runner, pictures, image_ids), 1)
            ) as found_all:
                answers = tracked(found_all, progress, "Detecting", pictures.count)
                for (fed, _), found in answers:
                    self._keep(fed.picture, found, results, progress)
        finally:
            runner.close()
        if not self.pictures:
            raise InputError(
                "None of the pictures can be read.", "Give JPEG or PNG files that are whole."
            )

    def _keep(
        self,
        picture: Picture,
        found: _Found | None,
        results: JsonList | None,
        progress: Progress,
    ) -> None:
        if found is None:
            self.skipped.append((picture.name, printable(picture.problem)))
            progress.notice(f"Skipped: {picture.problem}")
            return
        self.pictures.append(found.detections)
        if results is not None:
            results.add(found.ranked)

    def _fed(self, pictures: Pictures, image_ids: Iterator[int]) -> Iterator[_Fed]:
        from mobileq.vision.preprocess import feed_picture

        for picture, image_id in zip(pictures, image_ids, strict=False):  # ids may have no end
            if picture.image is None:
                yield _Fed(picture, image_id)
            else:
                yield _Fed(picture, image_id, *feed_picture(self._model.spec, picture.image))

    def _ran(
        self, runner: Runner, pictures: Pictures, image_ids: Iterator[int]
    ) -> Iterator[tuple[_Fed, Tensors | None]]:
        is_trusted = self._model.is_verified
        with closing(ahead(self._fed(pictures, image_ids), _IN_ADVANCE)) as prepared:
            for fed in prepared:
                if fed.feeds is None:
                    yield fed, None
                    continue
                outputs = runner.run(fed.feeds)
                if not is_trusted:
                    _require_repeatable(self._model, runner, fed.feeds, outputs)
                    is_trusted = True
                yield fed, outputs

    def _read(self, ran: tuple[_Fed, Tensors | None]) -> _Found | None:
        from mobileq.tasks.detect.decode.arrays import picture_outputs
        from mobileq.tasks.detect.postprocess import postprocess_each

        (picture, image_id, _, transform), outputs = ran
        if outputs is None or transform is None or picture.image is None:
            return None
        decode = _decoding(self._model)
        thresholds = [self._shown] + ([self._evaluated] if self._evaluated is not None else [])
        # A model of several pictures at a time has this one in every row.
        own = picture_outputs(outputs, 0, self._model.spec.batch)
        found, *ranked = postprocess_each(decode, own, transform, thresholds)
        result = PictureDetections(
            image=picture.name,
            frame=picture.frame,
            objects=self._objects(found),
            drawn=self._drawings.add(picture, found) if self._drawings else None,
        )
        # Given arrays are their owner's anyway; what was read is read again where it is shown.
        result = result if picture.path else result.with_pixels(picture.image)
        rows = [to_coco_results(each, image_id, self._category_ids) for each in ranked]
        return _Found(result, rows[0] if rows else [])

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


def _require_repeatable(model: OpenModel, runner: Runner, feeds: Tensors, outputs: Tensors) -> None:
    """Refuse a file that reads memory which nobody wrote: what it finds is made up."""
    from mobileq.evaluate.verify import repeats

    if not repeats(runner, lambda: model.open(disturbed=True), feeds, outputs):
        raise VerificationError(
            f"{model.name} gives other outputs for the same picture from one run to the next.",
            "The file is broken: convert its ONNX model with `mobileq convert`.",
        )


def _display(decode: DecodeSpec, score: float | None, iou: float | None) -> Thresholds:
    from mobileq.tasks.detect.nms import Thresholds

    return Thresholds(
        score=decode.score_threshold if score is None else score,
        iou=decode.iou_threshold if iou is None else iou,
    )


def _evaluated(shown: Thresholds, score: float | None) -> Thresholds:
    """COCO results are ranked lists: all of it, unless the person set a threshold."""
    from mobileq.tasks.detect.nms import Thresholds

    return Thresholds.evaluation() if score is None else shown


def _truth(annotations: Path | None, pictures: Pictures) -> GroundTruth | None:
    if annotations is None:
        return None
    from mobileq.tasks.detect.labels.dataset import load_ground_truth

    if pictures.files is None:
        raise UsageError(
            "Annotations are of picture files; videos and arrays have no entries in them.",
            "Leave out --annotations, or give files.",
        )
    folder = Path(os.path.commonpath([path.absolute().parent for path in pictures.files]))
    return load_ground_truth(annotations, folder)


def _image_ids(files: Sequence[Path] | None, truth: GroundTruth | None) -> Iterator[int]:
    """The annotations' ids by file name; else the number in the name where all have one."""
    if files is None:
        return itertools.count()
    if truth is not None:
        known = {Path(entry["file_name"]).name: int(entry["id"]) for entry in truth.coco["images"]}
        missing = [path.name for path in files if path.name not in known]
        if missing:
            raise InputError(
                f"The annotations don't know the picture {missing[0]}.",
                "Give the annotations of these pictures, or leave out --annotations.",
            )
        return iter([known[path.name] for path in files])
    if all(path.stem.isdecimal() for path in files):
        numbers = [int(path.stem) for path in files]
        if len(set(numbers)) == len(numbers):
            return iter(numbers)
    return itertools.count()


def _category_ids(model: OpenModel, truth: GroundTruth | None) -> Sequence[int]:
    assert model.spec.decode is not None
    if truth is None:
        return range(model.spec.decode.class_count)
    return category_ids_for(
        model.spec.labels, model.spec.decode.class_count, truth.coco["categories"]
    )
