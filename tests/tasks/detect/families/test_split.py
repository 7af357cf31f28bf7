from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper

from mobileq.graph.outline import tensor_specs
from mobileq.preparation.recognise import Recognition, recognise, recognise_shapes
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.detect.recognition import FAMILIES
from tests.graph.builders import NCHW640, outputs_of, picture
from tests.tasks.detect import head_builders, split_builders
from tests.tasks.detect.head_builders import HEIGHT, WIDTH

SPLIT = ("yolonas", "damoyolo", "ppyoloe", "yolov4")
PIXELS = ("xyxy", "pixel", (8, 16, 32))
CASES: dict[str, tuple[ModelProto, str, tuple[Any, ...], tuple[Any, ...]]] = {
    "yolonas": (split_builders.yolonas(), "yolonas", PIXELS, ("letterbox", 1 / 255, "bilinear")),
    "yolonas of four classes": (
        split_builders.yolonas(4), "yolonas", PIXELS, ("letterbox", 1 / 255, "bilinear"),
    ),
    "yolonas of one class": (
        split_builders.yolonas(1), "yolonas", PIXELS, ("letterbox", 1 / 255, "bilinear"),
    ),
    "distances without distributions": (
        split_builders.yolonas(bins=1), "yolonas", PIXELS, ("letterbox", 1 / 255, "bilinear"),
    ),
    "damoyolo": (split_builders.damoyolo(), "damoyolo", PIXELS, ("stretch", 1, "bilinear")),
    "ppyoloe": (
        split_builders.ppyoloe(), "ppyoloe", ("xyxy", "pixel", (32, 16, 8)),
        ("stretch", 1 / 255, "bicubic"),
    ),
    "ppyoloe of one class": (
        split_builders.ppyoloe(1), "ppyoloe", ("xyxy", "pixel", (32, 16, 8)),
        ("stretch", 1 / 255, "bicubic"),
    ),
    "ppyoloe in parts of the picture": (
        split_builders.ppyoloe(divisor=(WIDTH, HEIGHT, WIDTH, HEIGHT)), "ppyoloe",
        ("xyxy", "normalized", (32, 16, 8)), ("stretch", 1 / 255, "bicubic"),
    ),
    "yolov4": (
        split_builders.yolov4(), "yolov4", ("xyxy", "normalized", (8, 16, 32)),
        ("stretch", 1 / 255, "bilinear"),
    ),
}  # fmt: skip


def read_of(found: Recognition) -> DecodeSpec:
    assert found.spec.task == "detect"
    assert found.spec.decode is not None
    assert found.spec.decode.kind == "split"
    return found.spec.decode


@pytest.mark.parametrize("case", CASES)
def test_layout_of_the_boxes_tells_the_family_and_its_pictures(case: str) -> None:
    model, family, layout, feeding = CASES[case]
    found = recognise(model)
    decode, preprocess = read_of(found), found.spec.preprocess
    assert found.spec.family == family
    assert (decode.box_format, decode.box_unit, decode.strides) == layout
    assert decode.centre_offset == (0 if family == "damoyolo" else None)
    assert preprocess is not None
    assert (preprocess.resize_mode, preprocess.interpolation) == (feeding[0], feeding[2])
    assert preprocess.rescale_factor == pytest.approx(feeding[1])
    assert preprocess.channel_order == "RGB"
    _, outputs = tensor_specs(model)
    shapes = {each.name: each.shape for each in outputs}
    roles = {each.role: shapes[each.name] for each in decode.outputs}
    assert 4 in roles["boxes"]
    assert decode.class_count in roles["class_scores"]


@pytest.mark.parametrize("case", CASES)
def test_how_pictures_are_prepared_is_a_question_till_somebody_names_the_family(case: str) -> None:
    model, family, *_ = CASES[case]
    asked = recognise(model).questions["preprocess"]
    assert all(other in asked for other in SPLIT if other != family)
    for named in SPLIT:
        found = recognise(model, family=named)
        assert found.spec.family == named
        assert ("preprocess" in found.questions) == (named == "ppyoloe")
        assert read_of(found) == read_of(recognise(model))


def test_a_model_that_takes_bytes_prepares_them_itself() -> None:
    found = recognise_shapes(
        picture(1, 640, 640, 3, dtype="uint8"), outputs_of((1, 8400, 4), (1, 8400, 80)), {}
    )
    assert found.spec.family == "yolonas"
    assert "preprocess" not in found.questions
    assert found.spec.preprocess is not None
    assert found.spec.preprocess.rescale_factor == 1


def test_logits_are_known_by_what_is_not_behind_them() -> None:
    decode = read_of(recognise(split_builders.yolonas(activated=False)))
    assert [each.role for each in decode.outputs] == ["boxes", "class_logits"]
    model = split_builders.yolonas()
    for node in model.graph.node:
        if node.op_type == "Sigmoid":
            node.op_type = "Softmax"
    found = recognise(model)
    assert found.spec.decode is None
    assert "'scores' is neither what sigmoids give, nor bare logits" in found.reasons["yolonas"]


@pytest.mark.parametrize("unit", [2.0, 640.0])
def test_boxes_in_another_unit_are_refused(unit: float) -> None:
    found = recognise(split_builders.yolonas(unit=unit))
    assert (found.spec.task, found.spec.decode) == ("unknown", None)
    for family in SPLIT:
        assert f"do not lie about the cells of a {WIDTH}x{HEIGHT} picture" in found.reasons[family]


def test_distances_that_nothing_was_made_of_are_refused() -> None:
    model = split_builders.yolonas(bins=1)
    for node in model.graph.node:
        if list(node.output) == ["boxes"]:
            node.input[0] = "box"
    assert "do not lie about the cells" in recognise(model).reasons["yolonas"]


def test_format_of_the_boxes_is_tried() -> None:
    model = split_builders.yolonas()
    joined = onnx.parser.parse_graph(
        """g (float[1] a) => (float[1] b) {
            wide = Sub(high, low) both = Add(high, low) middle = Mul(both, half)
            xyxy = Concat<axis = 1>(middle, wide)
        }"""
    )
    _instead_of(model, "xyxy", joined.node)
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "half"))
    assert read_of(recognise(model)).box_format == "cxcywh"


def _instead_of(model: ModelProto, name: str, nodes: Any) -> None:
    at = next(i for i, node in enumerate(model.graph.node) if name in node.output)
    del model.graph.node[at]
    for node in reversed(nodes):
        model.graph.node.insert(at, node)


@pytest.mark.parametrize("more", [(1, 8400, 17, 2), (1, 8400, 1), (1, 17, 8400)])
def test_a_third_output_of_the_same_boxes_is_of_another_task(more: tuple[int, ...]) -> None:
    found = recognise_shapes(NCHW640, outputs_of((1, 8400, 4), (1, 8400, 80), more), {})
    assert found.spec.family is None
    assert found.reasons["yolonas"]


def test_without_a_graph_shapes_are_read_as_most_exports_have_them() -> None:
    for shapes, family in (
        (((1, 8400, 4), (1, 8400, 80)), "yolonas"),
        (((1, 8400, 4), (1, 80, 8400)), "ppyoloe"),
        (((1, 25200, 1, 4), (1, 25200, 80)), "yolov4"),
    ):
        found = recognise_shapes(NCHW640, outputs_of(*shapes), {})
        assert found.spec.family == family
        assert read_of(found).class_count == 80
        assert "Boxes are taken for left, top, right and bottom" in found.notices[0]
    found = recognise_shapes(NCHW640, outputs_of((1, 8400, 4), (1, 8400, 4)), {})
    assert "holds boxes is unclear" in found.reasons["yolonas"]


def test_other_outputs_are_said_not_to_be_needed() -> None:
    shapes = outputs_of((1, 8400, 4), (1, 8400, 80), (1, 24, 160, 160))
    found = recognise_shapes(NCHW640, shapes, {})
    assert "Detections are read from 'o0' and 'o1'; 'o2' are not needed." in found.notices


def test_names_that_are_more_or_fewer_are_told() -> None:
    model = split_builders.yolonas(5)
    onnx.helper.set_model_props(model, {"names": "['a', 'b']"})
    assert "room for 5 classes, but 2 are named" in recognise(model).reasons["yolonas"]


def test_queries_and_one_output_are_not_split() -> None:
    assert set(SPLIT) <= set(FAMILIES)
    for model in (head_builders.yolov8(), head_builders.yolox(), head_builders.nanodet()):
        assert recognise(model).spec.family not in SPLIT


def test_what_boxes_are_divided_by_can_be_a_constant() -> None:
    """PaddleDetection's models take `scale_factor` beside the picture."""
    inputs, outputs = tensor_specs(split_builders.ppyoloe())
    second = msgspec.structs.replace(inputs[0], name="scale_factor", shape=(1, 2), layout=None)
    found = recognise_shapes((inputs[0], second), outputs, {})
    assert "--set scale_factor=[1,1]" in " ".join(found.notices)
