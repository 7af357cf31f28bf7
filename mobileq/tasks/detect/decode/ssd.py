"""Heads that end in an in-graph post-processing: boxes, classes, scores and their count.

Source: TensorFlow's Object Detection API and its `TFLite_Detection_PostProcess`.
"""

from __future__ import annotations

import numpy as np

from mobileq.errors import InputError
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode.arrays import (
    Outputs,
    as_rows,
    output_array,
    single_output,
    to_pixels,
    to_xyxy,
)
from mobileq.tasks.detect.decode.candidates import Candidates


def decode_ssd(
    spec: DecodeSpec, outputs: Outputs, width: int, height: int, score_threshold: float
) -> Candidates:
    """Decided boxes: roles "boxes" [1, N, 4], "classes" [1, N], "scores" [1, N].

    Of role "count" [1], where there is such an output, only the first so many are read.
    Classes count from 0 and are rounded to whole numbers; unknown ones are dropped.
    """
    if spec.head == "raw":
        raise InputError(
            "An ssd head with in-graph post-processing has no raw outputs.",
            'Use head = "decoded".',
        )
    names = {role: single_output(spec, role).name for role in ("boxes", "classes", "scores")}
    boxes = as_rows(names["boxes"], output_array(outputs, names["boxes"]), 4)
    class_id = np.rint(output_array(outputs, names["classes"]).reshape(-1))
    score = output_array(outputs, names["scores"]).reshape(-1)
    if not len(boxes) == len(class_id) == len(score):
        raise InputError(
            f"The ssd head gives {len(boxes)} boxes, {len(class_id)} classes "
            f"and {len(score)} scores.",
            "Check which output has which role in the decode specification.",
        )
    counted = np.arange(len(score)) < _count(spec, outputs, len(score))
    known = (class_id >= 0) & (class_id < spec.class_count)
    chosen = counted & known & (score >= np.float32(score_threshold))
    return Candidates(
        xyxy=to_pixels(to_xyxy(boxes[chosen], spec.box_format), spec, width, height),
        score=score[chosen],
        class_id=class_id[chosen].astype(np.int64),
    )


def _count(spec: DecodeSpec, outputs: Outputs, available: int) -> int:
    if not any(output.role == "count" for output in spec.outputs):
        return available
    value = output_array(outputs, single_output(spec, "count").name).reshape(-1)[0]
    return round(float(value)) if np.isfinite(value) else 0
