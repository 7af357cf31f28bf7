from __future__ import annotations

import numpy as np
import onnx
import pytest

from mobileq.preparation.recognise import recognise, recognise_shapes
from tests.graph.builders import (
    NAMES4,
    NCHW640,
    outputs_of,
    picture,
    yolox,
)


def test_undecoded_head_has_strides() -> None:
    found = recognise(yolox(metadata={"names": NAMES4}))
    assert (found.spec.family, found.notices) == ("yolox", ())
    assert found.spec.decode is not None
    assert found.spec.decode.strides == (8, 16, 32)
    assert found.spec.preprocess is not None
    assert found.spec.preprocess.channel_order == "BGR"
    assert found.spec.preprocess.rescale_factor == 1.0
    assert found.spec.preprocess.resize_mode == "letterbox_top_left"


def test_head_decoded_in_the_graph_has_none() -> None:
    found = recognise(yolox(decoded=True))
    assert found.spec.family == "yolox"
    assert found.spec.decode is not None
    assert found.spec.decode.strides == ()


def test_boxes_decoded_without_exp_are_reported_as_yolov6() -> None:
    model = yolox(decoded=True)
    for node in model.graph.node:
        if node.op_type == "Exp":
            node.op_type = "Relu"
        if node.op_type == "Concat" and node.output[0] == "output":
            node.input[:] = ["xywh", "obj", "cls"]
    extra = onnx.parser.parse_graph(
        """g (float[1] a) => (float[1] b) {
            xywh = Concat<axis = 2>(xb, wb)
            obj, cls = Split<axis = 2>(rest, obj_cls)
        }"""
    )
    last = model.graph.node.pop()
    model.graph.node.extend([*extra.node, last])
    parts = onnx.numpy_helper.from_array(np.array([1, 4]), "obj_cls")
    model.graph.initializer.append(parts)
    found = recognise(model)
    assert found.spec.family == "yolox"
    assert found.spec.decode is not None
    assert found.spec.decode.strides == ()
    assert "YOLOv6" in " ".join(found.notices)


@pytest.mark.parametrize("shape", [(1, 3549, 85), (1, 85, 3549)])
def test_shapes_alone_suffice_with_notices(shape: tuple[int, ...]) -> None:
    found = recognise_shapes(picture(1, 416, 416, 3), outputs_of(shape), {})
    assert found.spec.family == "yolox"
    assert "--family" in " ".join(found.notices)
    assert "undecoded" in " ".join(found.notices)


def test_names_tell_yolox_from_yolov8_without_a_graph() -> None:
    for count, family in ((80, "yolox"), (81, "yolov8"), (53, "nanodet")):
        names = str([f"n{i}" for i in range(count)])
        found = recognise_shapes(NCHW640, outputs_of((1, 8400, 85)), {"names": names})
        assert found.spec.family == family
