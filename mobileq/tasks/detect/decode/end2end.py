"""YOLOv10, YOLO26 and others that were trained to give every object one box: no suppression.

Source: Wang et al., "YOLOv10: Real-Time End-to-End Object Detection", and the top-k step of
Ultralytics' `Detect.postprocess`.
"""

from __future__ import annotations

import numpy as np

from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.decode.arrays import Outputs, prediction_rows, to_pixels, to_xyxy
from mobileq.tasks.detect.decode.candidates import Candidates
from mobileq.tasks.detect.decode.distances import decode_branches, read_branches
from mobileq.tasks.detect.decode.split import boxes_and_scores

MAX_DETECTIONS = 300
"""What the exported graphs keep of one picture."""


def decode_end2end(
    spec: DecodeSpec, outputs: Outputs, width: int, height: int, score_threshold: float
) -> Candidates:
    """Decided boxes from the model's own output or from its one-to-one branch.

    decoded: role "predictions", [1, N, 6]: box, score, class.
    raw: per stride "box_distribution" [1, 4 * reg_max, h, w] or "box_regression" [1, 4, h, w],
    and "class_logits" [1, C, h, w]; or "boxes" [1, N, 4] and "class_logits" [1, N, C] of queries.
    The best 300 pairs of anchor and class are kept.
    """
    if spec.head == "raw":
        return _decode_raw(spec, outputs, width, height, score_threshold)
    rows = prediction_rows(spec, outputs, 6)
    class_id = np.rint(rows[:, 5])
    known = (class_id >= 0) & (class_id < spec.class_count)
    chosen = rows[(rows[:, 4] >= np.float32(score_threshold)) & known]
    return Candidates(
        xyxy=to_pixels(to_xyxy(chosen[:, :4], spec.box_format), spec, width, height),
        score=np.ascontiguousarray(chosen[:, 4]),
        class_id=np.rint(chosen[:, 5]).astype(np.int64),
    )


def _decode_raw(
    spec: DecodeSpec, outputs: Outputs, width: int, height: int, score_threshold: float
) -> Candidates:
    if spec.strides:
        branches = read_branches(spec, outputs)
        boxes, scores, _ = decode_branches(spec, branches, width, height, score_threshold)
    else:
        boxes, scores = boxes_and_scores(spec, outputs, width, height)
    anchor, class_id = np.nonzero(scores >= np.float32(score_threshold))
    score = scores[anchor, class_id]
    # Stable: equal scores stay in the order of anchors, then classes. The graph's two steps
    # (best 300 anchors, then best 300 pairs among them) choose the same pairs.
    best = np.argsort(-score, kind="stable")[:MAX_DETECTIONS]
    return Candidates(xyxy=boxes[anchor[best]], score=score[best], class_id=class_id[best])
