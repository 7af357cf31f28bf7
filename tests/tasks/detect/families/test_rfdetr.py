from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import ModelProto

from mobileq.errors import UsageError
from mobileq.graph.frontier import cut_at
from mobileq.preparation.recognise import recognise, recognise_shapes
from mobileq.tasks.detect.coco_classes import COCO91
from mobileq.tasks.detect.decode import decode
from tests.graph.builders import NCHW640, outputs_of
from tests.tasks.detect.query_builders import queries


def exported(classes: int = 4) -> ModelProto:
    """As RF-DETR's export leaves it: boxes and logits of all queries."""
    model = cut_at(queries(classes), ["boxes", "logits"])
    for node in model.graph.node:
        for names in (node.input, node.output):
            for at, name in enumerate(names):
                names[at] = {"boxes": "dets", "logits": "labels"}.get(name, name)
    for value, name in zip(model.graph.output, ("dets", "labels"), strict=True):
        value.name = name
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    return model


def test_queries_are_read_as_the_export_leaves_them() -> None:
    found = recognise(exported())
    spec, read = found.spec, found.spec.decode
    assert read is not None
    assert (spec.family, read.kind, read.head, read.class_count) == ("rfdetr", "end2end", "raw", 4)
    assert (read.box_format, read.box_unit) == ("cxcywh", "normalized")
    assert spec.preprocess is not None
    assert (spec.preprocess.resize_mode, spec.preprocess.antialias) == ("stretch", True)
    assert spec.preprocess.image_mean == (0.485, 0.456, 0.406)
    boxes, logits = np.full((1, 2, 4), 0.5, np.float32), np.full((1, 2, 4), -9.0, np.float32)
    boxes[0, 1] = 0.25, 0.5, 0.5, 0.25
    logits[0, 1, 2] = 2.0
    candidates = decode(read, {"dets": boxes, "labels": logits}, 640, 320, 0.25)
    np.testing.assert_allclose(candidates.xyxy, [[0, 120, 320, 200]])
    assert candidates.class_id is not None
    assert candidates.class_id.tolist() == [2]
    np.testing.assert_allclose(candidates.score, 1 / (1 + np.exp(-2.0)), rtol=1e-6)


def test_names_may_begin_behind_the_class_that_is_none() -> None:
    shapes = outputs_of((1, 300, 4), (1, 300, 91), names=("dets", "labels"))
    found = recognise_shapes(NCHW640, shapes, {}, labels=COCO91)
    assert found.spec.labels[:2] == ("background", "person")
    assert len(found.spec.labels) == 91


@pytest.mark.parametrize(
    "shapes",
    [
        [(1, 300, 4), (1, 299, 91)],
        [(1, 300, 91), (1, 300, 5)],
        [(1, 300, 4), (1, 300, 91), (1, 300, 140, 140)],
        [(1, 300, 4), (300, 91)],
        [(2, 300, 4), (2, 300, 91)],
    ],
)
def test_other_shapes_are_none(shapes: list[tuple[int, ...]]) -> None:
    names = ("dets", "labels", "masks")
    found = recognise_shapes(NCHW640, outputs_of(*shapes, names=names), {})
    assert found.spec.family != "rfdetr"


def test_the_same_shapes_by_other_names_are_taken_where_somebody_says_so() -> None:
    shapes = outputs_of((1, 100, 92), (1, 100, 4), names=("logits", "pred_boxes"))
    assert recognise_shapes(NCHW640, shapes, {}).spec.family is None  # DETR's, with a softmax
    found = recognise_shapes(NCHW640, shapes, {}, family="rfdetr")
    assert found.spec.decode is not None
    assert [(each.name, each.role) for each in found.spec.decode.outputs] == [
        ("pred_boxes", "boxes"),
        ("logits", "class_logits"),
    ]
    with pytest.raises(UsageError, match="are not boxes"):
        recognise_shapes(NCHW640, outputs_of((1, 300, 6)), {}, family="rfdetr")
