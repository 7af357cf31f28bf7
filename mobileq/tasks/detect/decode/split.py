"""Boxes and class scores as two outputs, with a row for each cell in both.

YOLO-NAS (Deci's super-gradients), DAMO-YOLO, PP-YOLOE without its suppression, and YOLOv4 as
pytorch-YOLOv4 exports it: boxes are decoded in the graph, and joined with nothing. Of queries
instead of cells, as an RT-DETR's raw head gives them, `decode_end2end` picks the best.
"""

from __future__ import annotations

from mobileq.errors import InputError
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode.arrays import (
    Outputs,
    as_rows,
    output_array,
    passing_rows,
    reaches,
    sigmoid,
    single_output,
    to_pixels,
    to_xyxy,
)
from mobileq.tasks.detect.decode.candidates import Candidates, scored
from mobileq.vision.arrays import FloatArray


def decode_split(
    spec: DecodeSpec, outputs: Outputs, width: int, height: int, score_threshold: float
) -> Candidates:
    """Boxes that still compete: roles "boxes" [1, A, 4], and "class_scores" or "class_logits" of
    [1, A, C], with axes of length 1 or in the other order too."""
    boxes, scores = boxes_and_scores(spec, outputs, width, height)
    passing = reaches(scores, score_threshold)
    return scored(passing_rows(boxes, passing), passing_rows(scores, passing))


def boxes_and_scores(
    spec: DecodeSpec, outputs: Outputs, width: int, height: int
) -> tuple[FloatArray, FloatArray]:
    """Boxes [N, 4] in pixels, and scores [N, C].

    Raises:
        InputError: See `split_rows`.
    """
    boxes, classes, are_logits = split_rows(spec, outputs)
    scores = sigmoid(classes) if are_logits else classes
    return to_pixels(to_xyxy(boxes, spec.box_format), spec, width, height), scores


def split_rows(spec: DecodeSpec, outputs: Outputs) -> tuple[FloatArray, FloatArray, bool]:
    """Views of the outputs, [N, 4] and [N, C], and whether the latter still want the sigmoid.

    Raises:
        InputError: An output is missing or has another shape, or they differ in their rows.
    """
    box, of_class = (
        single_output(spec, "boxes"),
        single_output(spec, "class_scores", "class_logits"),
    )
    boxes = as_rows(box.name, output_array(outputs, box.name), 4)
    classes = as_rows(of_class.name, output_array(outputs, of_class.name), spec.class_count)
    if len(boxes) != len(classes):
        raise InputError(
            f"The head gives {len(boxes)} boxes and scores of {len(classes)}.",
            "Check which output has which role in the decode specification.",
        )
    return boxes, classes, of_class.role == "class_logits"
