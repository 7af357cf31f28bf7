from __future__ import annotations

from mobileq.preparation.recognise import recognise, recognise_shapes
from tests.graph.builders import (
    HEIGHT,
    NAMES4,
    NCHW640,
    WIDTH,
    YOLOV5_ANCHORS,
    outputs_of,
    yolov5,
)


def test_head_has_anchors_and_a_centred_letterbox() -> None:
    found = recognise(yolov5(metadata={"names": NAMES4}))
    assert (found.spec.family, found.spec.task, found.spec.labels) == (
        "yolov5",
        "detect",
        tuple("abcd"),
    )
    assert found.notices == ()
    assert found.spec.decode is not None
    assert found.spec.decode.class_count == 4
    assert found.spec.decode.strides == (8, 16, 32)
    assert found.spec.decode.anchors == tuple(YOLOV5_ANCHORS.values())
    assert found.spec.decode.box_format == "cxcywh"
    assert found.spec.preprocess is not None
    assert (found.spec.preprocess.width, found.spec.preprocess.height) == (WIDTH, HEIGHT)
    assert found.spec.preprocess.channel_order == "RGB"
    assert found.spec.preprocess.rescale_factor == 1 / 255
    assert found.spec.preprocess.resize_mode == "letterbox"
    assert found.spec.preprocess.pad_value == 114


def test_missing_anchors_are_a_notice() -> None:
    model = yolov5(metadata={"names": NAMES4})
    for node in model.graph.node:
        if node.op_type == "Pow":
            node.op_type, node.input[1] = "Add", node.input[0]
    found = recognise(model)
    assert found.spec.family == "yolov5"
    assert found.spec.decode is not None
    assert found.spec.decode.anchors == ()
    assert ["anchors were not found" in notice for notice in found.notices] == [True]


def test_segmentation_is_told_by_its_masks() -> None:
    outputs = outputs_of((1, 25200, 117), (1, 32, 160, 160))
    found = recognise_shapes(NCHW640, outputs, {})
    assert found.spec.family is None
    assert "masks" in found.reasons["yolov5"]


def test_training_export_is_told_by_its_feature_maps() -> None:
    maps = [(1, 3, n, n, 85) for n in (80, 40, 20)]
    found = recognise_shapes(NCHW640, outputs_of(*maps), {})
    assert "undecoded feature maps" in found.reasons["yolov5"]


def test_feature_maps_beside_the_predictions_are_ignored_with_a_notice() -> None:
    maps = [(1, 3, n, n, 85) for n in (80, 40, 20)]
    found = recognise_shapes(NCHW640, outputs_of((1, 25200, 85), *maps), {})
    assert found.spec.family == "yolov5"
    assert "'o1', 'o2', 'o3' are not needed" in " ".join(found.notices)
