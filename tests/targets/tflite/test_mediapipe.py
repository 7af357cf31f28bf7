"""MediaPipe Tasks reads mobileq's files, and says of a picture what mobileq says."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import cv2
import msgspec
import numpy as np
import onnx
import pytest

from mobileq.calibration.samples import Picture, Sample
from mobileq.graph.fold_preprocessing import fold_preprocessing
from mobileq.preparation.prepare import prepare
from mobileq.spec import PreprocessSpec
from mobileq.spec.classes import ClassesSpec, ClassHead
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.targets.tflite.target import TfliteTarget
from mobileq.tasks.base import task_of
from mobileq.tasks.detect.detections import Detections
from mobileq.vision.preprocess import preprocess, read_image

from ..tiny import TinyFile, kept, make, of_file
from ..tiny_models import MODELS, weights
from .mediapipe_side import MediaPipe, packages

LABELS = ("cat", "dog", "Käse", "a bird", "x")
SIDE = 16
CONSTANTS = {
    "w": weights(9, 3, 4, 4),
    "rows": np.array([1, 9, 16]),
    "v": 0.3 * weights(5, 144, seed=1),
    "u": 0.3 * weights(2, 144, seed=2),
    "parts": np.array([2, 2, 5]),
    "half": np.array(0.5, np.float32),
    "first": np.array([0]),
    "second": np.array([1]),
    "third": np.array([2]),
    "end": np.array([3]),
    "most": np.array(9),
    "overlap": np.array(0.5, np.float32),
    "least": np.array(0.1, np.float32),
    "wanted": np.array([9]),
    "no_pads": np.array([0, 0, 0]),
    "no_box_pads": np.array([0, 0, 0, 0]),
}
CLASSES = """g (float[1,3,16,16] x) => (float[1,5] y, float[1,2] age) {
    c = Conv<strides=[4,4]>(x, w)
    f = Flatten(c)
    values = Gemm<transB=1>(f, v)
    y = Softmax(values)
    more = Gemm<transB=1>(f, u)
    age = Softmax(more)
}"""
# Boxes as ymin, xmin, ymax, xmax in 0..1, as SSDs end; each cell is an object.
CELLS = """
    c = Conv<strides=[4,4]>(x, w)
    s = Sigmoid(c)
    cells = Reshape(s, rows)
    t = Transpose<perm=[0,2,1]>(cells)
    near, span, scores = Split<axis=2>(t, parts)
    corner = Mul(near, half)
    size = Mul(span, half)
    far = Add(corner, size)
    all = Concat<axis=2>(corner, far)
"""
BOXES = f"""g (float[1,3,16,16] x) => (
    float[1,16,4] boxes, float[1,16] ids, float[1,16] best, float[1] count
) {{{CELLS}
    boxes = Identity(all)
    best = ReduceMax<axes=[2], keepdims=0>(scores)
    which = ArgMax<axis=2, keepdims=0>(scores)
    ids = Cast<to=1>(which)
    each = Div(best, best)
    count = ReduceSum<keepdims=0>(each, second)
}}"""
# As TensorFlow's SSDs end in ONNX: what overlaps is left out, and the rest is filled up with zeros.
SUPPRESSED = f"""g (float[1,3,16,16] x) => (
    float[1,9,4] boxes, float[1,9] ids, float[1,9] best, float[1] count
) {{{CELLS}
    by_class = Transpose<perm=[0,2,1]>(scores)
    kept = NonMaxSuppression(all, by_class, most, overlap, least)
    class_column = Slice(kept, second, third, second)
    cell_column = Slice(kept, third, end, second)
    class = Squeeze(class_column, second)
    cell = Squeeze(cell_column, second)
    pairs = Concat<axis=1>(cell_column, class_column)
    places = Squeeze(all, first)
    plane = Squeeze(scores, first)
    own_places = Gather(places, cell)
    own_scores = GatherND(plane, pairs)
    found = Shape(class)
    number = Min(wanted, found)
    missing = Sub(wanted, number)
    count = Cast<to=1>(number)
    best_first, order = TopK(own_scores, number)
    row = Unsqueeze(best_first, first)
    order_row = Unsqueeze(order, first)
    ids_row = Gather(class, order_row)
    ids_found = Cast<to=1>(ids_row)
    boxes_found = Gather(own_places, order_row)
    pads = Concat<axis=0>(no_pads, missing)
    box_pads = Concat<axis=0>(no_box_pads, missing, first)
    best = Pad(row, pads)
    ids = Pad(ids_found, pads)
    boxes = Pad(boxes_found, box_pads)
}}"""


def stretched(mean: tuple[float, ...] = (0.5,) * 3, std: tuple[float, ...] = (0.25,) * 3):
    return PreprocessSpec(
        width=SIDE, height=SIDE, resize_mode="stretch", image_mean=mean, image_std=std
    )


def takes(graph: str, name: str) -> bool:
    """Whether a node of the graph takes the tensor."""
    return re.search(rf"[(,] ?{name}[,)]", graph) is not None


@pytest.fixture
def file_of(tmp_path, monkeypatch) -> Callable[..., TinyFile]:
    """(graph, precision, io, **fields of the spec) -> its file."""

    def converted(graph: str, precision="fp32", io="float32", **fields: Any) -> TinyFile:
        used = {name: value for name, value in CONSTANTS.items() if takes(graph, name)}
        monkeypatch.setitem(MODELS, "asked", (graph, used))
        model = make("asked", tmp_path)
        model = dataclasses.replace(model, spec=msgspec.structs.replace(model.spec, **fields))
        job = model.job(tmp_path, precision, io)
        return TinyFile(model, job.output, kept().convert(job))

    return converted


@pytest.fixture(scope="module")
def ask(tmp_path_factory) -> Iterator[Callable[..., Any]]:
    """(question, file, **what it needs) -> MediaPipe's answer."""
    log = tmp_path_factory.mktemp("mediapipe") / "log.txt"
    with MediaPipe(packages(), log) as process:
        yield process.ask


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)


def answers(file: TinyFile, pixels: np.ndarray) -> Iterator[Any]:
    """What mobileq reads of the file's outputs for each picture."""
    spec = file.model.spec
    target = TfliteTarget()
    with closing(target.open(file.path, file.converted.inputs, file.converted.outputs)) as runner:
        for picture in pixels:
            tensor, transform = preprocess(picture, spec.preprocess, spec.inputs[0].dtype)
            feeds = {spec.inputs[0].name: tensor}
            sample = Sample("x", feeds, (Picture(picture, transform),))
            yield task_of(spec).read(runner.run(feeds), sample, "shown")[0]


HEADS = ClassesSpec(
    class_count=7,
    heads=(
        ClassHead(name="kind", output="y", class_count=5, values="probabilities"),
        ClassHead(name="age", output="age", class_count=2, values="probabilities"),
    ),
)


@pytest.mark.parametrize(("precision", "io"), [("fp32", "float32"), ("int8", "uint8")])
def test_classifier_gives_mobileqs_answers(ask, file_of, pictures, precision, io):
    labels = (*LABELS, "young", "old")
    fields = {"task": "classify", "classes": HEADS, "labels": labels}
    file = file_of(CLASSES, precision, io, preprocess=stretched((0.0,) * 3, (1.0,) * 3), **fields)
    found = ask("classify", file.path, pictures=pictures)
    for wanted, heads in zip(answers(file, pictures), found, strict=True):
        assert [head["head"] for head in heads] == ["kind", "age"]
        for best, head, first in zip(wanted, heads, (0, 5), strict=True):
            classes = sorted(head["classes"], key=lambda each: (-each[0], each[1]))
            assert [first + index for _, index, _ in classes] == best.class_id.tolist()
            assert [name for _, _, name in classes] == [labels[index] for index in best.class_id]
            scores = [score for score, _, _ in classes]
            np.testing.assert_allclose(scores, best.probability, atol=1e-5)


@pytest.mark.parametrize("graph", [BOXES, SUPPRESSED], ids=["all", "suppressed"])
def test_detector_gives_mobileqs_answers(ask, file_of, pictures, graph):
    decode = DecodeSpec(
        kind="ssd",
        class_count=5,
        outputs=tuple(
            HeadOutput(name=name, role=role)
            for name, role in {
                "boxes": "boxes", "ids": "classes", "best": "scores", "count": "count",
            }.items()
        ),
        box_format="yxyx",
        box_unit="normalized",
        score_threshold=0.9,
        iou_threshold=1.0,
    )  # fmt: skip
    file = file_of(graph, task="detect", preprocess=stretched(), decode=decode, labels=LABELS)
    found = ask("detect", file.path, pictures=pictures, threshold=decode.score_threshold)
    for wanted, objects in zip(answers(file, pictures), found, strict=True):
        assert 0 < len(wanted) < 16
        assert_same_objects(objects, wanted, LABELS, SIDE)


def assert_same_objects(
    objects: list[Any], wanted: Detections, labels: Sequence[str], side: int
) -> None:
    objects.sort(key=lambda each: -each["score"])
    assert [each["name"] for each in objects] == [labels[index] for index in wanted.class_id]
    np.testing.assert_allclose([each["score"] for each in objects], wanted.score, atol=1e-5)
    boxes = np.array([each["box"] for each in objects])  # whole pixels, and not cut at the edge
    corners = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    np.testing.assert_allclose(corners.clip(0, side), wanted.xyxy, atol=2)


@pytest.mark.real_model
def test_real_detector_gives_mobileqs_answers(ask, data_folder, tmp_path):
    prepared = prepare(data_folder / "models" / "ssd_mobilenet_v1_pp_deq.onnx")
    path = tmp_path / "ssd.onnx"
    onnx.save(prepared.model, path)
    model = of_file(path, prepared.spec)
    job = model.job(tmp_path, "fp32")
    file = TinyFile(model, job.output, kept().convert(job))
    # As large as the model's input: MediaPipe 1.2.3 shifts by half a pixel where it resizes.
    photos = [read_image(data_folder / "images" / name) for name in ("bus.jpg", "zidane.jpg")]
    side = prepared.spec.preprocess.width
    pictures = np.stack([cv2.resize(photo, (side, side)) for photo in photos])
    found = ask("detect", file.path, pictures=pictures, threshold=0.25)
    labels = [f"class {index}" for index in range(90)]
    for wanted, objects in zip(answers(file, pictures), found, strict=True):
        assert len(wanted) > 2
        assert_same_objects(objects, wanted, labels, side)


def test_deviations_of_each_channel_are_refused_unless_they_are_in_the_graph(
    ask, file_of, pictures, tmp_path
):
    file = file_of(
        CLASSES,
        task="classify",
        preprocess=stretched((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        classes=HEADS,
    )
    with pytest.raises(RuntimeError, match="Per-channel image normalization"):
        ask("classify", file.path, pictures=pictures)
    model, folded = fold_preprocessing(onnx.load(file.model.path), file.model.spec)
    onnx.save(model, file.model.path)
    model = dataclasses.replace(file.model, spec=folded)
    (tmp_path / "folded").mkdir()
    job = model.job(tmp_path / "folded", "fp32")
    wanted = list(answers(file, pictures))
    file = TinyFile(model, job.output, kept().convert(job))
    found = ask("classify", file.path, pictures=pictures)
    for heads, best in zip(found, wanted, strict=True):
        assert [head["classes"][0][1] for head in heads] == [best[0].best, best[1].best - 5]
        scores = [head["classes"][0][0] for head in heads]
        np.testing.assert_allclose(scores, [each.probability[0] for each in best], atol=1e-5)


def test_googles_writer_takes_the_file(ask, file_of, pictures, tmp_path):
    graph = CLASSES.replace(", float[1,2] age", "")
    fields = {"task": "classify", "preprocess": stretched((0.0,) * 3, (1.0,) * 3)}
    classes = ClassesSpec(class_count=5, values="probabilities")
    file = file_of(graph, classes=classes, labels=LABELS, **fields)
    again = tmp_path / "again.tflite"
    ask("write", file.path, output=str(again), labels=list("abcde"))
    before = ask("classify", file.path, pictures=pictures)
    after = ask("classify", again, pictures=pictures)
    for (mine,), (theirs,) in zip(before, after, strict=True):
        renamed = [[score, at, "abcde"[at]] for score, at, _ in mine["classes"]]
        assert theirs["classes"] == renamed


def test_bytes_that_are_no_pixels_are_refused(ask, file_of, pictures):
    """MediaPipe gives bytes to whatever takes bytes, without a look at its scale."""
    file = file_of(
        *(CLASSES, "int8", "uint8"), task="classify", preprocess=stretched(), classes=HEADS
    )
    with pytest.raises(RuntimeError, match="Only RGB color space"):
        ask("classify", file.path, pictures=pictures)


def test_metadata_says_what_the_file_takes_and_gives(ask, file_of):
    labels = (*LABELS, "young", "old")
    file = file_of(CLASSES, task="classify", preprocess=stretched(), classes=HEADS, labels=labels)
    told = ask("describe", file.path)
    assert told["packed"] == ["metadata.json", "mobileq.json", "classes_1.txt", "classes_0.txt"]
    metadata = told["metadata"]
    assert metadata["min_parser_version"] == "1.0.0"
    (graph,) = metadata["subgraph_metadata"]
    (picture,) = graph["input_tensor_metadata"]
    assert picture["process_units"][0]["options"] == {"mean": [127.5], "std": [63.75]}
    assert picture["stats"] == {"max": [2.0], "min": [-2.0]}
    assert picture["content"]["content_properties"] == {"color_space": "RGB"}
    assert "stretch to 16x16" in picture["description"]
