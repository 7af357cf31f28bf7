"""From output tensors to detections in the source picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode import decode
from mobileq.tasks.detect.decode.arrays import Outputs
from mobileq.tasks.detect.detections import Detections
from mobileq.tasks.detect.nms import Thresholds, select
from mobileq.vision.letterbox import LetterboxTransform


def postprocess(
    spec: DecodeSpec,
    outputs: Outputs,
    transform: LetterboxTransform,
    thresholds: Thresholds,
) -> Detections:
    """Decode, suppress duplicates, and map the boxes back to the source picture.

    Boxes are clipped to the picture; those that lay wholly in the padding have no area then and
    are dropped.

    Args:
        spec: How the outputs are to be read.
        outputs: Float32 arrays by the ONNX model's output names, in its axis order.
        transform: What `preprocess` gave for this picture.
        thresholds: What becomes a detection.

    Returns:
        Detections in source pixels, by score, highest first.

    Raises:
        InputError: The outputs are not what `spec` describes.
    """
    (found,) = postprocess_each(spec, outputs, transform, (thresholds,))
    return found


def postprocess_each(
    spec: DecodeSpec,
    outputs: Outputs,
    transform: LetterboxTransform,
    thresholds: Sequence[Thresholds],
) -> tuple[Detections, ...]:
    """As `postprocess` for each of the thresholds, decoded once."""
    lowest = min(each.score for each in thresholds)
    candidates = decode(spec, outputs, transform.width, transform.height, lowest)
    return tuple(_in_source(select(candidates, each), transform) for each in thresholds)


def _in_source(found: Detections, transform: LetterboxTransform) -> Detections:
    xyxy = transform.clip(transform.to_source(found.xyxy))
    inside = np.all(xyxy[:, 2:] > xyxy[:, :2], axis=1)
    return Detections(xyxy, found.score, found.class_id)[inside]
