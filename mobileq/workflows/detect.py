"""`mobileq detect`: what `predict` does, of objects, with COCO results and another overlap."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import msgspec

from mobileq.errors import InputError, UsageError
from mobileq.paths import StrPath, optional_path
from mobileq.progress import Progress, listener
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.base import Limits
from mobileq.tasks.detect.coco import category_ids_for, to_coco_results
from mobileq.tasks.detect.nms import Thresholds
from mobileq.tasks.detect.predict import DetectionRun, DetectPredictor, Found
from mobileq.workflows.choices import ModelChoices, chosen_overrides, takes
from mobileq.workflows.json_list import json_list
from mobileq.workflows.opening import OpenModel, Overrides
from mobileq.workflows.pictures import GivenPicture, Pictures
from mobileq.workflows.predict import Prediction, drawing_folder, opened_for
from mobileq.workflows.results import require_file_place

if TYPE_CHECKING:
    from mobileq.tasks.detect.labels.dataset import GroundTruth


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
    """Run a bundle's artifact or a lone file on pictures, and find objects.

    Args:
        images: As `predict` takes them.
        coco: Write COCO results in original pixels there: nearly everything, ranked, as mAP is
            measured, or what passes `score` where it is given.
        annotations: COCO json whose image and category ids the results take; without it category
            ids are class indices, and image ids the number in the file name, else the position.
        draw_to: Folder for the pictures with boxes.
        score, iou: Instead of the model's display thresholds.
        artifact, overrides, interpreter, choices: As of `predict`.

    Raises:
        UsageError: No pictures, or the model's outputs can't be decoded.
        InputError: No picture can be read.
        VerificationError: A lone file's outputs change from one run to the next.
    """
    progress = listener(progress)
    pictures = Pictures(images)
    results, folder = optional_path(coco), drawing_folder(draw_to)
    if results is not None:
        require_file_place(results, "--coco")
    opened = opened_for(
        pictures, model, artifact, chosen_overrides(overrides, choices), interpreter, progress
    )
    decode = _decoding(opened)
    truth = _truth(optional_path(annotations), pictures)
    shown = _display(decode, Limits(score).score, iou)
    # COCO results are ranked lists: all of it, unless the person set a threshold.
    ranked = Thresholds.evaluation() if score is None else shown
    image_ids, category_ids = _image_ids(pictures.files, truth), _category_ids(opened, truth)
    predictor = DetectPredictor(opened.spec, decode, shown, ranked if results else None)
    with json_list(results, "--coco") if results else nullcontext() as rows:

        def keep(number: int, found: Found) -> None:
            if rows is not None and found.ranked is not None:
                rows.add(to_coco_results(found.ranked, image_ids[number], category_ids))

        run = Prediction(opened, predictor, keep).over(pictures, folder, progress)
    return DetectionRun(**msgspec.structs.asdict(run), coco=str(results) if results else None)


def _decoding(model: OpenModel) -> DecodeSpec:
    if model.spec.decode is None or model.spec.preprocess is None:
        raise UsageError(
            f"Detections of {model.name} can't be decoded: its family is not known.",
            "Say it with --family, or describe it with --spec FILE.toml; `mobileq predict` tells "
            "what there is.",
        )
    return model.spec.decode


def _display(decode: DecodeSpec, score: float | None, iou: float | None) -> Thresholds:
    shown = Thresholds.display(decode)
    return dataclasses.replace(
        shown,
        score=shown.score if score is None else score,
        iou=shown.iou if iou is None else iou,
    )


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


def _image_ids(files: Sequence[Path] | None, truth: GroundTruth | None) -> Sequence[int]:
    """The annotations' ids by file name; else the number in the name where all have one."""
    if files is None:
        return range(sys.maxsize)
    if truth is not None:
        known = {Path(entry["file_name"]).name: int(entry["id"]) for entry in truth.coco["images"]}
        missing = [path.name for path in files if path.name not in known]
        if missing:
            raise InputError(
                f"The annotations don't know the picture {missing[0]}.",
                "Give the annotations of these pictures, or leave out --annotations.",
            )
        return [known[path.name] for path in files]
    if all(path.stem.isdecimal() for path in files):
        numbers = [int(path.stem) for path in files]
        if len(set(numbers)) == len(numbers):
            return numbers
    return range(sys.maxsize)


def _category_ids(model: OpenModel, truth: GroundTruth | None) -> Sequence[int]:
    assert model.spec.decode is not None
    if truth is None:
        return range(model.spec.decode.class_count)
    return category_ids_for(
        model.spec.labels, model.spec.decode.class_count, truth.coco["categories"]
    )
