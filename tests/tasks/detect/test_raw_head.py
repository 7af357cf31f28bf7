from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper

from mobileq.errors import InputError, UsageError
from mobileq.graph.trial_run import run
from mobileq.preparation.prepare import PreparedModel, prepare
from mobileq.tasks.detect.decode import decode
from mobileq.tasks.detect.decode.arrays import expected_distance
from mobileq.tasks.detect.nms import Thresholds
from mobileq.tasks.detect.postprocess import postprocess
from mobileq.tasks.detect.raw_head import raw_head, same_detections
from mobileq.vision.preprocess import feed_picture, read_image
from tests.graph import builders
from tests.tasks.detect import head_builders as heads
from tests.tasks.detect import split_builders

from .head_builders import STRIDES, prepared
from .query_builders import queries, queries_apart
from .raw_heads import (
    YOLOV8,
    assert_same_candidates,
    candidates,
    decode_of,
    refusal,
    roles,
    rows,
    with_decode,
)

DEMO = Path(__file__).parents[3] / "assets" / "demo"
FOUR = (8, 16, 32, 64)
REAL_MODELS = ("yolov5n", "yolox_nano", "nanodet", "yolov8n_320_deq")
REBUILT_BINS = np.array([0, 0.9449, 2.0079, 2.9528, 4.0157, 4.9606, 6.0236, 7.0], np.float32)


YOLOX = rows(("reg", "box_regression"), ("obj", "objectness_logits"), ("cls", "class_logits"))
YOLOV5 = rows(
    ("m", "box_regression"), ("m", "objectness_logits"), ("m", "class_logits"), joint=True
)
NANODET = rows(("m", "box_distribution"), ("m", "class_logits"), joint=True)
PLAIN = rows(("b", "box_regression"), ("c", "class_logits"))
SPLIT = rows(("d", "box_distribution"), ("c", "class_logits"))
CASES: dict[str, tuple[ModelProto, str, list[Any]]] = {
    "yolov5": (heads.yolov5(), "yolov5", YOLOV5),
    "yolov5 of one class": (heads.yolov5(1), "yolov5", YOLOV5),
    "yolov8": (heads.yolov8(), "yolov8", YOLOV8),
    "yolov8 with a matrix product": (heads.yolov8(dfl="matmul"), "yolov8", YOLOV8),
    "yolov8 with a sum": (heads.yolov8(dfl="sum"), "yolov8", YOLOV8),
    "yolov8 with as many classes as box values": (heads.yolov8(64), "yolov8", YOLOV8),
    "yolov8 with the classes first": (heads.yolov8(64, classes_first=True), "yolov8", YOLOV8),
    "yolov8 without distributions": (heads.yolov8(4, bins=1), "yolov8", PLAIN),
    "yolov8 with strides backwards": (
        heads.yolov8(strides=(32, 16, 8)),
        "yolov8",
        rows(("b", "box_distribution"), ("c", "class_logits"), strides=(32, 16, 8)),
    ),
    "yolox": (heads.yolox(), "yolox", YOLOX),
    "yolox of one class": (heads.yolox(1), "yolox", YOLOX),
    "yolox of one class, objectness first": (heads.yolox(1, objectness_first=True), "yolox", YOLOX),
    "yolox decoded in the graph": (heads.yolox(decoded=True), "yolox", YOLOX),
    "yolov6": (heads.yolov6(), "yolox", PLAIN),
    "nanodet": (heads.nanodet(), "nanodet", NANODET),
    "nanodet in one output": (heads.nanodet(single=True), "nanodet", NANODET),
    "nanodet of two branches": (heads.nanodet(joint=False), "nanodet", SPLIT),
    "nanodet with as many classes as box values": (
        heads.nanodet(32, joint=False), "nanodet", SPLIT,
    ),
    "picodet": (
        heads.nanodet(strides=FOUR), "picodet",
        rows(("m", "box_distribution"), ("m", "class_logits"), strides=FOUR, joint=True),
    ),
    "yolov10": (heads.end2end(), "yolov10", YOLOV8),
    "yolov10 with as many classes as box values": (heads.end2end(64), "yolov10", YOLOV8),
    "yolonas": (split_builders.yolonas(), "yolonas", YOLOV8),
    "yolonas of four classes": (split_builders.yolonas(4), "yolonas", YOLOV8),
    "yolonas without distributions": (split_builders.yolonas(bins=1), "yolonas", PLAIN),
    "yolonas with logits": (split_builders.yolonas(activated=False), "yolonas", YOLOV8),
    "damoyolo": (
        split_builders.damoyolo(extra=0), "damoyolo",
        rows(("scaled", "box_distribution"), ("c", "class_logits")),
    ),
    "ppyoloe": (
        split_builders.ppyoloe(), "ppyoloe",
        rows(("b", "box_distribution"), ("c", "class_logits"), strides=(32, 16, 8)),
    ),
    "ppyoloe in one output": (
        split_builders.ppyoloe(joined=True), "yolov8",
        rows(("b", "box_distribution"), ("c", "class_logits"), strides=(32, 16, 8)),
    ),
    "yolo26": (heads.end2end(bins=1, family="YOLO26"), "yolo26", PLAIN),
    "yolo26 of many classes": (heads.end2end(9, bins=1, family="YOLO26"), "yolo26", PLAIN),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_raw_head_gives_the_candidates_of_the_decoded_one(case: str, tmp_path: Path):
    network, family, expected = CASES[case]
    given = prepared(network, tmp_path, family)
    model, spec = raw_head(given.model, given.spec)
    assert roles(spec) == expected
    assert [output.name for output in spec.outputs] == [value.name for value in model.graph.output]
    assert [output.name for output in spec.outputs] == [name for name, _, _ in expected]
    for output, (_, _, stride) in zip(spec.outputs, expected, strict=True):
        assert output.shape[2:] == heads.side_lengths(stride)
        assert (output.dtype, output.layout) == ("float32", "NCHW")
    chosen = decode_of(spec)
    assert (chosen.head, chosen.box_unit) == ("raw", "pixel")
    assert chosen.strides == tuple(dict.fromkeys(stride for _, _, stride in expected))
    assert (chosen.class_count, chosen.score_threshold, chosen.iou_threshold) == (
        decode_of(given.spec).class_count, 0.25, 0.45,
    )  # fmt: skip
    assert spec.inputs == given.spec.inputs
    assert spec.labels == given.spec.labels
    assert_same_candidates(given, model, spec)


def test_a_joint_output_that_cannot_be_taken_apart_stays_whole(tmp_path: Path):
    given = prepared(heads.yolov5(), tmp_path)
    for node in given.model.graph.node:  # the name of what would be one of its parts is taken
        for names in (node.input, node.output):
            names[:] = ["m8.class_logits" if name == "r8" else name for name in names]
    model, spec = raw_head(given.model, given.spec)
    assert roles(spec) == rows(("m", "predictions"))
    assert_same_candidates(given, model, spec)


@pytest.mark.parametrize("classes", [4, 9])
def test_queries_give_boxes_and_class_logits(classes: int, tmp_path: Path):
    given = prepared(queries(classes), tmp_path, "rtdetr")
    model, spec = raw_head(given.model, given.spec)
    assert roles(spec) == [("boxes", "boxes", None), ("logits", "class_logits", None)]
    assert [output.shape for output in spec.outputs] == [(1, 30, 4), (1, 30, classes)]
    assert [output.layout for output in spec.outputs] == [None, None]
    assert (decode_of(spec).box_format, decode_of(spec).box_unit) == ("cxcywh", "normalized")
    picture = np.random.default_rng(11).integers(0, 256, (120, 200, 3), np.uint8)
    expected, actual = (
        candidates(given.model, given.spec, picture),
        candidates(model, spec, picture),
    )
    count = len(expected)  # the graph keeps as many pairs as there are queries
    assert count == 30
    np.testing.assert_allclose(actual.xyxy[:count], expected.xyxy, rtol=1e-6, atol=0.01)
    np.testing.assert_allclose(actual.score[:count], expected.score, rtol=0, atol=1e-5)
    assert np.array_equal(actual.class_id[:count], expected.class_id)


@pytest.mark.parametrize("classes", [4, 9])
def test_pairs_that_were_picked_are_cut_where_they_are_picked_from(classes: int, tmp_path: Path):
    given = prepared(queries_apart(classes), tmp_path, "rtdetr")
    model, spec = raw_head(given.model, given.spec)
    assert roles(spec) == [("pixels", "boxes", None), ("logits", "class_logits", None)]
    assert (decode_of(spec).kind, decode_of(spec).box_format) == ("end2end", "xyxy")
    picture = np.random.default_rng(11).integers(0, 256, (120, 200, 3), np.uint8)
    expected, actual = (
        candidates(given.model, given.spec, picture),
        candidates(model, spec, picture),
    )
    np.testing.assert_allclose(actual.xyxy[: len(expected)], expected.xyxy, rtol=1e-6, atol=0.01)
    np.testing.assert_allclose(actual.score[: len(expected)], expected.score, rtol=0, atol=1e-5)


def test_a_head_of_cells_is_no_head_of_queries(tmp_path: Path):
    given = prepared(heads.end2end(9), tmp_path, "rtdetr")
    assert "sigmoids, not two, give its boxes and its scores" in refusal(given)


@pytest.mark.parametrize(
    ("case", "kind", "reg_max"),
    [
        ("yolov5", "yolov5", 0),
        ("yolov8", "yolov8", 16),
        ("yolov8 without distributions", "yolov8", 0),
        ("yolox decoded in the graph", "yolox", 0),
        ("yolov6", "yolov8", 0),
        ("nanodet", "nanodet", 8),
        ("nanodet of two branches", "nanodet", 8),
        ("picodet", "picodet", 8),
        ("yolov10", "end2end", 16),
        ("yolo26", "end2end", 0),
        ("yolonas", "yolov8", 17),
        ("ppyoloe", "yolov8", 17),
        ("damoyolo", "yolov8", 17),
    ],
)
def test_kind_and_bins(case: str, kind: str, reg_max: int, tmp_path: Path):
    network, family, _ = CASES[case]
    given = prepared(network, tmp_path, family)
    chosen = decode_of(raw_head(given.model, given.spec)[1])
    assert (chosen.kind, chosen.reg_max, chosen.distance_bins) == (kind, reg_max, ())


def test_normalized_boxes_become_pixels(tmp_path: Path):
    given = prepared(heads.yolov8(normalized=True), tmp_path, "yolov8")
    described = with_decode(given.spec, box_unit="normalized")
    model, spec = raw_head(given.model, described)
    assert decode_of(spec).box_unit == "pixel"
    picture = np.random.default_rng(3).integers(0, 256, (160, 192, 3), np.uint8)
    expected, actual = candidates(given.model, described, picture), candidates(model, spec, picture)
    np.testing.assert_allclose(actual.xyxy, expected.xyxy, rtol=0, atol=0.01)
    assert "boxes differ" in refusal(given)


def test_anchors_follow_their_strides(tmp_path: Path):
    given = prepared(heads.yolov5(), tmp_path)
    chosen = decode_of(raw_head(given.model, given.spec)[1])
    assert chosen.anchors == tuple(heads.ANCHORS[stride] for stride in STRIDES)


@pytest.mark.parametrize("dfl", ["conv", "matmul", "sum"])
def test_bins_of_a_rebuilt_model_are_read_from_its_graph(dfl: str, tmp_path: Path):
    given = prepared(heads.yolov8(bins=8, dfl=dfl, values=REBUILT_BINS), tmp_path, "yolov8")
    model, spec = raw_head(given.model, given.spec)
    assert decode_of(spec).distance_bins == tuple(float(value) for value in REBUILT_BINS)
    assert_same_candidates(given, model, spec)
    exact = msgspec.structs.replace(decode_of(spec), distance_bins=())
    reason = same_detections(
        given.model, model, given.spec, msgspec.structs.replace(spec, decode=exact), 0
    )
    assert reason is not None
    assert "boxes differ" in reason


def test_bins_stand_for_the_distances_given():
    logits = np.log(np.array([[1, 3, 4] * 4], np.float32))
    assert expected_distance(logits, 3).tolist() == [[1.375] * 4]
    assert expected_distance(logits, 3, (0.0, 2.0, 5.0)).tolist() == [[3.25] * 4]
    assert np.array_equal(
        expected_distance(logits, 3, (0.0, 1.0, 2.0)), expected_distance(logits, 3)
    )
    with pytest.raises(InputError, match="2 distance bins for 3 values"):
        expected_distance(logits, 3, (0.0, 1.0))


def test_a_model_that_came_quantized_is_cut_as_a_float_one(tmp_path: Path):
    network = heads.yolov8(4, bins=8)
    for node in list(network.graph.node):
        if node.op_type == "Conv" and node.output[0][0] in "bc":
            _quantize(network, node.output[0])
    given = prepared(network, tmp_path, "yolov8")
    model, spec = raw_head(given.model, given.spec)
    names = [f"{name}{stride}" for stride in STRIDES for name in "bc"]
    assert [name for name, _, _ in roles(spec)] == names
    assert given.given is not None
    assert set(given.given.ranges) == set(names)
    assert_same_candidates(given, model, spec)


def _quantize(model: ModelProto, name: str) -> None:
    """Put QuantizeLinear and DequantizeLinear behind a tensor."""
    readers = [node for node in model.graph.node if name in node.input]
    for reader in readers:
        reader.input[list(reader.input).index(name)] = f"{name}_d"
    quantizers = builders.model_of(
        f"""g (float[1] {name}) => (float[1] {name}_d) {{
            {name}_q = QuantizeLinear({name}, {name}_scale, {name}_zero)
            {name}_d = DequantizeLinear({name}_q, {name}_scale, {name}_zero)
        }}"""
    )
    at = next(i for i, node in enumerate(model.graph.node) if name in node.output) + 1
    for node in reversed(quantizers.graph.node):
        model.graph.node.insert(at, node)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(0.05, np.float32), f"{name}_scale"),
            numpy_helper.from_array(np.array(0, np.int8), f"{name}_zero"),
        ]
    )


def test_same_model_same_bytes_and_the_model_is_not_changed(tmp_path: Path):
    given = prepared(heads.yolov8(), tmp_path)
    before = given.model.SerializeToString()
    first, second = raw_head(given.model, given.spec), raw_head(given.model, given.spec)
    assert given.model.SerializeToString() == before
    assert first[0].SerializeToString() == second[0].SerializeToString()
    assert first[1] == second[1]
    assert len(first[0].graph.node) < len(given.model.graph.node)


def test_a_raw_head_stays_as_it_is(tmp_path: Path):
    given = prepared(heads.yolox(), tmp_path)
    model, spec = raw_head(given.model, given.spec)
    again = raw_head(model, spec)
    assert again[0] is model
    assert again[1] is spec


# The demo detector and the files of the data folder.


def differences(given: PreparedModel, photo: Path) -> tuple[float, float]:
    """Largest of boxes and scores, of all candidates; detections shown are compared here."""
    model, spec = raw_head(given.model, given.spec)
    inputs, transform = feed_picture(given.spec, read_image(photo))
    expected_outputs: Any = run(given.model, inputs)  # type: ignore[arg-type]
    given_outputs: Any = run(model, inputs)  # type: ignore[arg-type]
    shown = Thresholds.display(decode_of(given.spec))
    expected = postprocess(decode_of(given.spec), expected_outputs, transform, shown)
    actual = postprocess(decode_of(spec), given_outputs, transform, shown)
    assert len(expected) > 0
    assert actual.class_id.tolist() == expected.class_id.tolist()
    np.testing.assert_allclose(actual.xyxy, expected.xyxy, rtol=0, atol=0.01)
    np.testing.assert_allclose(actual.score, expected.score, rtol=0, atol=1e-5)
    size = (transform.width, transform.height)
    all_expected = decode(decode_of(given.spec), expected_outputs, *size)
    all_actual = decode(decode_of(spec), given_outputs, *size)
    assert all_expected.scores is not None
    assert all_actual.scores is not None
    assert all_actual.scores.shape == all_expected.scores.shape
    return (
        float(np.abs(all_actual.xyxy - all_expected.xyxy).max()),
        float(np.abs(all_actual.scores - all_expected.scores).max()),
    )


def test_the_demo_detector(tmp_path: Path):
    given = prepare(DEMO / "demo.onnx")
    photo = sorted((DEMO / "validation").rglob("*.[jp][pn]g"))[0]
    boxes, scores = differences(given, photo)
    assert boxes <= 0.01
    assert scores <= 1e-5
    assert [role for _, role, _ in roles(raw_head(given.model, given.spec)[1])] == [
        "box_distribution", "class_logits",
    ] * 3  # fmt: skip


@pytest.mark.real_model
@pytest.mark.parametrize("name", REAL_MODELS)
def test_real_models(name: str, data_folder: Path):
    given = prepare(data_folder / "models" / f"{name}.onnx")
    boxes, scores = differences(given, data_folder / "images" / "bus.jpg")
    assert boxes <= 0.01
    assert scores <= 1e-5


@pytest.mark.real_model
def test_bins_of_the_rebuilt_yolov8(data_folder: Path):
    given = prepare(data_folder / "models" / "yolov8n_320_deq.onnx")
    bins = decode_of(raw_head(given.model, given.spec)[1]).distance_bins
    assert bins[:3] == pytest.approx((0, 0.94488, 2.00787), abs=1e-5)
    assert len(bins) == 16


@pytest.mark.real_model
def test_the_real_ssd_is_refused(data_folder: Path):
    given = prepare(data_folder / "models" / "ssd_mobilenet_v1_pp_deq.onnx")
    with pytest.raises(UsageError, match="post-processing in the graph"):
        raw_head(given.model, given.spec)


def demo_of_two() -> ModelProto:
    """The demo detector for two pictures at a time."""
    model = onnx.load(DEMO / "demo.onnx")
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 2
    shapes = {node.input[1] for node in model.graph.node if node.op_type == "Reshape"}
    for tensor in model.graph.initializer:
        if tensor.name in shapes:
            values = numpy_helper.to_array(tensor).copy()
            values[0] = 2
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


def test_batch_is_cut_and_every_row_is_compared(tmp_path: Path) -> None:
    given = prepared(demo_of_two(), tmp_path)
    assert (given.spec.family, given.spec.batch) == ("yolov8", 2)
    model, spec = raw_head(given.model, given.spec)
    assert decode_of(spec).head == "raw"
    assert all(output.shape[0] == 2 for output in spec.outputs)
    broken = ModelProto()
    broken.CopyFrom(model)
    # The second row alone, of one output: the first picture's candidates stay as they are.
    last = broken.graph.output[-1].name
    add_to_second_row(broken, last)
    reason = same_detections(given.model, broken, given.spec, spec, seed=1)
    assert reason is not None
    assert "differ" in reason


def add_to_second_row(model: ModelProto, name: str) -> None:
    """`name` becomes itself plus 1 in the second row."""
    (node,) = (node for node in model.graph.node if name in node.output)
    node.output[list(node.output).index(name)] = "inner"
    added = np.array([0, 1], np.float32).reshape(2, 1, 1, 1)
    model.graph.initializer.append(numpy_helper.from_array(added, "added"))
    model.graph.node.append(helper.make_node("Add", ["inner", "added"], [name]))
