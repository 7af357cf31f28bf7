"""From output tensors to candidate boxes, one module per head family."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mobileq.spec.decode import DecodeKind, DecodeSpec
from mobileq.tasks.detect.decode.arrays import Outputs
from mobileq.tasks.detect.decode.candidates import Candidates
from mobileq.tasks.detect.decode.end2end import decode_end2end
from mobileq.tasks.detect.decode.nanodet import decode_nanodet
from mobileq.tasks.detect.decode.split import decode_split
from mobileq.tasks.detect.decode.ssd import decode_ssd
from mobileq.tasks.detect.decode.yolov5 import decode_yolov5
from mobileq.tasks.detect.decode.yolov8 import decode_yolov8
from mobileq.tasks.detect.decode.yolox import decode_yolox
from mobileq.vision.arrays import BoolArray

__all__ = ["DECODERS", "Candidates", "anchor_count", "decode", "decode_some"]

Decoder = Callable[[DecodeSpec, Outputs, int, int, float], Candidates]

_CHOOSING: dict[DecodeKind, Callable[..., Candidates]] = {
    "yolov5": decode_yolov5,
    "yolov8": decode_yolov8,
    "yolox": decode_yolox,
    "nanodet": decode_nanodet,
    "picodet": decode_nanodet,
}
"""Those whose raw heads are told which anchors to decode in any case."""

DECODERS: dict[DecodeKind, Decoder] = {
    **_CHOOSING,
    "split": decode_split,
    "end2end": decode_end2end,
    "ssd": decode_ssd,
}


def decode(
    spec: DecodeSpec,
    outputs: Outputs,
    width: int,
    height: int,
    score_threshold: float = 0.0,
) -> Candidates:
    """Candidate boxes of one picture, in the order of the model's anchors.

    Args:
        spec: How the outputs are to be read.
        outputs: Float32 arrays by the ONNX model's output names, in the ONNX model's axis order
            and already dequantized, with a batch of 1.
        width: Of the model input, pixels.
        height: Of the model input, pixels.
        score_threshold: Boxes whose best score is below are left out, before they are decoded;
            the others are the same as without.

    Raises:
        InputError: The outputs are not what `spec` describes.
    """
    # A broken model's numbers may overflow here; `select` leaves out what is not finite.
    with np.errstate(over="ignore", invalid="ignore"):
        return DECODERS[spec.kind](spec, outputs, width, height, score_threshold)


def anchor_count(spec: DecodeSpec, width: int, height: int) -> int | None:
    """How many anchors candidates are numbered by (`Candidates.cells`), where `decode_some` can be
    told which of them to decode; None where it can't.

    Args:
        width: Of the model input, pixels.
        height: Of the model input, pixels.
    """
    if spec.head != "raw" or spec.kind not in _CHOOSING:
        return None
    cells = [math.ceil(width / stride) * math.ceil(height / stride) for stride in spec.strides]
    shapes = spec.anchors or [(None,)] * len(cells)
    return sum(count * len(own) for count, own in zip(cells, shapes, strict=False))


def decode_some(
    spec: DecodeSpec,
    outputs: Outputs,
    width: int,
    height: int,
    score_threshold: float,
    always: BoolArray | None = None,
) -> Candidates:
    """As `decode`, with those of `always` [anchors] in any case; all where that can't be told.

    Most cells of a picture are of nothing, and most of the time goes into their sigmoids.
    """
    if anchor_count(spec, width, height) is None:
        return decode(spec, outputs, width, height, -math.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        return _CHOOSING[spec.kind](spec, outputs, width, height, score_threshold, always)
