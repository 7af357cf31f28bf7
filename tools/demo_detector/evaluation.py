"""Average precision of an ONNX detector on drawn images, measured with pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from .dataset import FIRST_CATEGORY_ID, Sample, coco_annotations, letterbox
from .network import NUM_CLASSES
from .scenes import Image

SCORE_THRESHOLD = 0.001
_NMS_IOU = 0.65
# COCO counts no more per image
_MAX_DETECTIONS = 100


class Detections(NamedTuple):
    """boxes: float32 [n, 4], xyxy in image pixels; scores: [n], falling; class_ids: [n]."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]


class Accuracy(NamedTuple):
    """COCO's average precision at IoU 0.5, and averaged over IoU 0.5 to 0.95."""

    map50: float
    map50_95: float

    def __str__(self) -> str:
        return f"mAP50 {self.map50:.4f}  mAP50-95 {self.map50_95:.4f}"


def open_session(model_path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model_path, providers=["CPUExecutionProvider"])


def evaluate(model_path: Path, samples: Sequence[Sample]) -> Accuracy:
    """Accuracy of a model on labelled images."""
    session = open_session(model_path)
    results: list[dict[str, Any]] = []
    for index, sample in enumerate(samples):
        found = detect(session, sample.image)
        for box, score, class_id in zip(*(part.tolist() for part in found), strict=True):
            x1, y1, x2, y2 = box
            results.append(
                {
                    "image_id": index + 1,
                    "category_id": class_id + FIRST_CATEGORY_ID,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": score,
                }
            )
    if not results:
        # pycocotools cannot load an empty list
        return Accuracy(0.0, 0.0)
    # pycocotools reports its progress on standard output
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = coco_annotations(samples)
        truth.createIndex()
        evaluator = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return Accuracy(map50=float(evaluator.stats[1]), map50_95=float(evaluator.stats[0]))


def detect(session: onnxruntime.InferenceSession, image: Image) -> Detections:
    """Detections in a BGR image [height, width, 3], after non-maximum suppression per class."""
    fitted, (scale, left, top) = letterbox(image)
    output = session.run(None, {"images": network_input(fitted)})[0][0]
    cx, cy, width, height = output[:4]
    boxes = np.stack([cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2], axis=1)
    boxes = (boxes - np.array([left, top, left, top], np.float32)) / np.float32(scale)
    image_height, image_width = image.shape[:2]
    boxes = boxes.clip(0, np.array([image_width, image_height] * 2, np.float32))
    return _suppress(boxes, output[4:])


def network_input(fitted: Image) -> NDArray[np.float32]:
    """Letterboxed BGR uint8 [160, 160, 3] to RGB float32 [1, 3, 160, 160] in 0..1."""
    rgb = cv2.cvtColor(fitted, cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32) / 255


def _suppress(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> Detections:
    """Boxes [A, 4] and class scores [C, A] to what survives; an anchor may keep several classes."""
    kept_boxes, kept_scores, kept_classes = [], [], []
    for class_id in range(NUM_CLASSES):
        class_scores = scores[class_id]
        order = np.argsort(-class_scores, kind="stable")
        order = order[class_scores[order] > SCORE_THRESHOLD]
        kept = order[_greedy_nms(boxes[order])]
        kept_boxes.append(boxes[kept])
        kept_scores.append(class_scores[kept])
        kept_classes.append(np.full(len(kept), class_id))
    all_scores = np.concatenate(kept_scores)
    best = np.argsort(-all_scores, kind="stable")[:_MAX_DETECTIONS]
    return Detections(
        np.concatenate(kept_boxes)[best], all_scores[best], np.concatenate(kept_classes)[best]
    )


def _greedy_nms(boxes: NDArray[np.float32]) -> list[int]:
    """Indices of the boxes [n, 4], given best first, that no better kept one overlaps too far."""
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    alive = np.ones(len(boxes), bool)
    kept = []
    for i in range(len(boxes)):
        if not alive[i]:
            continue
        kept.append(i)
        sides = np.minimum(boxes[i, 2:], boxes[:, 2:]) - np.maximum(boxes[i, :2], boxes[:, :2])
        intersection = sides.clip(0).prod(axis=1)
        iou = intersection / np.maximum(areas[i] + areas - intersection, 1e-9)
        alive &= iou <= _NMS_IOU
    return kept
