"""Boxes with a class and a score, compared and scored as COCO does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.spec import ModelSpec
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.base import (
    COUNT,
    Column,
    Difference,
    Figures,
    Level,
    Limits,
    Measure,
    Outputs,
    Scored,
    Truth,
)
from mobileq.tasks.detect.decode.arrays import picture_outputs, sigmoid
from mobileq.tasks.detect.decode.logits import logit_outputs
from mobileq.tasks.detect.detections import Detections
from mobileq.tasks.detect.labels.dataset import GroundTruth, load_ground_truth
from mobileq.tasks.detect.nms import Thresholds
from mobileq.tasks.detect.postprocess import postprocess
from mobileq.tasks.detect.reference import DetectReference, has_candidates
from mobileq.tasks.noise import NoiseReference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample
    from mobileq.tasks.detect.predict import DetectPredictor

MEASURE = Measure(
    key="map50_95",
    name="mAP50-95",
    floors={"dynamic": 0.3, "w8": 0.3, "int16x8": 0.3, "int8": 0.1, "int8-full": 0.1},
    enough=5,
    decisive=16,
    # Scores are small numbers between many zeros: right int8 files had 6 (yolox_nano, agreement
    # 0.75 to 0.82), 17, 27 and 34 dB in their worst role.
    unsure=0.5,
    columns=(
        Column("mAP50-95", "accuracy", "map50_95"),
        Column("mAP50", "accuracy", "map50"),
        Column("agreement", "agreement", "map50_95"),
    ),
    error=(
        "root mean square of what scores and box sides (in parts of the box) are off, before "
        "suppression"
    ),
    answers="detections",
    thing="object",
    wanted="pictures with objects",
    nothing="finds nothing",
    little="finds little of what the ONNX model finds",
)
_END2END_COLUMNS, _SCORE_COLUMN = 6, 4
"""Box, score, class; with other numbers of columns a score for each class is behind the box."""


def bound(spec: ModelSpec) -> DetectTask | None:
    """Where it is known how outputs become boxes."""
    return None if spec.decode is None else DetectTask(spec, spec.decode)


class DetectTask:
    """See `mobileq.tasks.base.Task`."""

    name = "detect"

    def __init__(self, spec: ModelSpec, decode: DecodeSpec) -> None:
        self._spec, self._decode = spec, decode
        # Boxes are of pictures: how these are fed must be known.
        self.measure = None if spec.preprocess is None else MEASURE
        dense = spec.preprocess is not None and has_candidates(decode)
        self.error_of = "candidates" if dense else "outputs"
        self.sigmoids = logit_outputs(decode)
        self.squashed: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = dict.fromkeys(
            self.sigmoids, sigmoid
        )
        self.roles: Mapping[str, str] = {each.name: each.role for each in decode.outputs}

    def read(self, outputs: Outputs, sample: Sample, level: Level) -> tuple[Detections, ...]:
        """In source pixels, by score."""
        thresholds = (
            Thresholds.display(self._decode) if level == "shown" else Thresholds.evaluation()
        )
        return tuple(
            postprocess(
                self._decode,
                picture_outputs(outputs, row, self._spec.batch),
                picture.transform,
                thresholds,
            )
            for row, picture in enumerate(sample.pictures)
        )

    def reference(
        self, outputs: Outputs, *, answers: bool = False
    ) -> DetectReference | NoiseReference:
        """Compares candidates where they stand for cells."""
        if self._spec.preprocess is None:
            return NoiseReference(outputs)
        return DetectReference(self._spec, self._decode, self._spec.preprocess, outputs, answers)

    def row_scores(
        self, outputs: Outputs, axes: Mapping[str, int], count: int
    ) -> NDArray[Any] | None:
        """The best class's."""
        import numpy as np

        for output in self._decode.outputs:
            axis = axes.get(output.name)
            if axis is None or outputs[output.name].shape[axis] != count:
                continue
            rows: NDArray[Any] = np.moveaxis(outputs[output.name], axis, 0).reshape(count, -1)
            if output.role == "scores":
                best: NDArray[Any] = rows.max(axis=1)
                return best
            if output.role == "predictions" and rows.shape[1] > _SCORE_COLUMN:
                end = None if rows.shape[1] != _END2END_COLUMNS else _SCORE_COLUMN + 1
                best = rows[:, _SCORE_COLUMN:end].max(axis=1)
                return best
        return None

    def agreement(self, reference: Sequence[Detections], found: Sequence[Detections]) -> Scored:
        """mAP of what was found, the reference's from a score of 0.25 taken for the truth."""
        from mobileq.tasks.detect.agreement import agreement, matched

        pairs = matched(reference, found)
        figures: Figures = msgspec.to_builtins(agreement(reference, found, found=pairs))
        assert COUNT in figures
        return Scored(figures, pairs.resampled)

    def difference(self, wanted: Detections, found: Detections) -> Difference:
        """Boxes that one of the two shows."""
        from mobileq.tasks.detect.difference import difference

        return difference(wanted, found, self._spec.labels, self._decode.score_threshold)

    def count(self, answer: Detections) -> int:
        """Objects that count as the truth in an agreement."""
        from mobileq.tasks.detect.agreement import REFERENCE_SCORE

        return int((answer.score >= REFERENCE_SCORE).sum())

    def truth(self, annotations: Path, images: Path | None) -> GroundTruth:
        """COCO's or YOLO's labels."""
        truth = load_ground_truth(annotations, images)
        self._category_ids(truth)
        return truth

    def score(self, truth: Truth, keys: Sequence[int], answers: Sequence[Detections]) -> Scored:
        """mAP by pycocotools."""
        from mobileq.tasks.detect.coco import matched, to_coco_results

        assert isinstance(truth, GroundTruth)
        ids = self._category_ids(truth)
        results = [
            result
            for key, found in zip(keys, answers, strict=True)
            for result in to_coco_results(found, key, ids)
        ]
        pairs = matched(truth.coco, results, keys)
        return Scored(msgspec.to_builtins(pairs.scores, str_keys=True), pairs.resampled)

    def predictor(self, limits: Limits) -> DetectPredictor:
        """Tells objects, as the model's own thresholds want them where no others are given."""
        from mobileq.tasks.detect.predict import DetectPredictor

        shown = Thresholds.display(self._decode)
        if limits.score is not None:
            shown = replace(shown, score=limits.score)
        if limits.top is not None:
            shown = replace(shown, max_detections=limits.top)
        return DetectPredictor(self._spec, self._decode, shown)

    def golden(self, answers: Sequence[Detections]) -> dict[str, Any]:
        """Boxes in frame pixels."""
        return {
            "detections": [
                {
                    "xyxy": [float(value) for value in box],
                    "score": float(score),
                    "class_id": int(class_id),
                }
                for found in answers
                for box, score, class_id in zip(
                    found.xyxy, found.score, found.class_id, strict=True
                )
            ]
        }

    def _category_ids(self, truth: GroundTruth) -> tuple[int, ...]:
        from mobileq.tasks.detect.coco import category_ids_for

        return category_ids_for(
            self._spec.labels, self._decode.class_count, truth.coco["categories"]
        )
