"""A detector whose graph suppresses overlapping boxes, as Ultralytics' `nms=True` has it."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto

from tests.graph.builders import ints

from .head_builders import boxes_beside_scores


def suppressed(classes: int = 4, *, low: float = 0.9) -> ModelProto:
    """`end2end`'s branch, with suppression in the graph in place of the best 300.

    `low`: the score that a box needs.
    """
    net = boxes_beside_scores(16, classes)
    for name, value in {
        "most": ints(300),
        "iou": np.array([0.3], np.float32),
        "low_score": np.array([low], np.float32),
        "one_each": ints(1, 1, 1),
        "outer": ints(0),
    }.items():
        net.constant(name, value)
    net.add(
        "by_class = Transpose<perm = [0, 2, 1]>(scores)",
        "chosen = NonMaxSuppression(boxes, by_class, most, iou, low_score)",
        "value = GatherND(by_class, chosen)",
        "batch_id, class_id, cell = Split<axis = 1>(chosen, one_each)",
        "class_f = Cast<to = 1>(class_id)",
        "inner = Constant<value_ints = [1]>()",
        "value1 = Unsqueeze(value, inner)",
        "all_rows = Constant<value_ints = [-1]>()",
        "cells = Reshape(cell, all_rows)",
        "of_kept = Gather<axis = 1>(boxes, cells)",
        "kept_box = Squeeze(of_kept, outer)",
        "row = Concat<axis = 1>(kept_box, value1, class_f)",
        "output0 = Unsqueeze(row, outer)",
    )
    return net.model("float[1,N,6] output0", {"description": "Ultralytics YOLO11n model"})
