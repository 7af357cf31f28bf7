from __future__ import annotations

import msgspec
import numpy as np
import pytest

from mobileq.errors import UsageError
from mobileq.graph.outline import tensor_specs
from mobileq.preparation.recognise import Recognition, recognise, recognise_shapes
from mobileq.spec.decode import DecodeSpec
from tests.graph.builders import NCHW640, end2end, ints, outputs_of
from tests.tasks.detect.head_builders import Net
from tests.tasks.detect.query_builders import queries_apart


def read_of(found: Recognition) -> DecodeSpec:
    assert found.spec.family == "rtdetr"
    assert found.spec.preprocess is not None
    assert found.spec.preprocess.resize_mode == "stretch"
    assert found.spec.decode is not None
    return found.spec.decode


def test_boxes_that_a_sigmoid_keeps_in_the_picture_are_rtdetrs() -> None:
    decode = read_of(recognise(end2end(9, squashed=True)))
    assert (decode.kind, decode.class_count) == ("end2end", 9)
    assert (decode.box_format, decode.box_unit) == ("cxcywh", "normalized")
    assert recognise(end2end(9)).spec.family != "rtdetr"
    shapes = outputs_of((1, 300, 6))
    assert recognise_shapes(NCHW640, shapes, {}, family="rtdetr").spec.family == "rtdetr"


@pytest.mark.parametrize(("size", "unit"), [((192.0, 160.0), "pixel"), ((1.0, 1.0), "normalized")])
def test_labels_boxes_and_scores_are_told_apart_by_the_graph(
    size: tuple[float, float], unit: str
) -> None:
    decode = read_of(recognise(queries_apart(9, size)))
    assert (decode.kind, decode.class_count) == ("ssd", 9)
    assert (decode.box_format, decode.box_unit) == ("xyxy", unit)
    roles = {output.role: output.name for output in decode.outputs}
    assert roles == {"classes": "labels", "boxes": "chosen", "scores": "scores"}


def test_boxes_of_another_size_than_the_pictures_are_refused_with_what_mends_it() -> None:
    found = recognise(queries_apart(9, (640.0, 640.0)))
    assert found.spec.task == "unknown"
    assert "its boxes are not in pixels of the 192x160 picture" in found.reasons["rtdetr"]
    assert "--set orig_target_sizes=[192,160]" in " ".join(found.notices)


def test_without_a_graph_names_and_types_tell() -> None:
    boxes, scores, labels = outputs_of((1, 30, 4), (1, 30), (1, 30))
    named = tuple(
        msgspec.structs.replace(output, name=name, dtype=kind)
        for output, name, kind in (
            (scores, "scores", "float32"), (labels, "labels", "int64"), (boxes, "boxes", "float32"),
        )
    )  # fmt: skip
    decode = read_of(recognise_shapes(NCHW640, named, {}))
    assert [output.name for output in decode.outputs] == ["boxes", "labels", "scores"]
    assert recognise_shapes(NCHW640, (boxes, scores, labels), {}).spec.family is None


def test_a_second_input_is_named_with_what_makes_a_constant_of_it() -> None:
    model = queries_apart()
    model.graph.initializer.remove(next(i for i in model.graph.initializer if i.name == "size"))
    size = model.graph.input.add()
    size.CopyFrom(model.graph.input[0])
    size.name = "orig_target_sizes"
    inputs, outputs = tensor_specs(model)
    second = msgspec.structs.replace(inputs[1], shape=(1, 2), dtype="int64")
    found = recognise_shapes((inputs[0], second), outputs, {})
    assert "it has 2 inputs" in " ".join(found.notices)
    assert "--set orig_target_sizes=[192,160]" in " ".join(found.notices)
    with pytest.raises(UsageError, match=r"--set orig_target_sizes=\[192,160\]"):
        recognise_shapes((inputs[0], second), outputs, {}, family="rtdetr")
    other = msgspec.structs.replace(second, name="threshold", shape=(1,))
    assert "--set threshold=VALUE" in " ".join(
        recognise_shapes((inputs[0], other), outputs, {}).notices
    )


@pytest.mark.parametrize("classes", [4, 9])
def test_boxes_that_are_means_of_distributions_are_d_fines(classes: int) -> None:
    net = Net((32,))
    net.conv("side", "feature32", 4 * 33)
    net.conv("class", "feature32", classes)
    for name, value in {
        "bins": ints(1, 4, 33, 30),
        "rows": ints(1, classes, 30),
        "distances": np.linspace(-4, 4, 33, dtype=np.float32),
    }.items():
        net.constant(name, value)
    net.add(
        "cells = Reshape(side, bins)",
        "last = Transpose<perm = [0, 3, 1, 2]>(cells)",
        "chances = Softmax<axis = 3>(last)",
        "pred_boxes = MatMul(chances, distances)",
        "scores = Reshape(class, rows)",
        "logits = Transpose<perm = [0, 2, 1]>(scores)",
    )
    found = recognise(net.model(f"float[1,30,{classes}] logits, float[1,30,4] pred_boxes"))
    decode = read_of(found)
    assert (decode.kind, decode.head, decode.class_count) == ("end2end", "raw", classes)
    assert [output.name for output in decode.outputs] == ["pred_boxes", "logits"]


def test_other_boxes_and_logits_have_to_be_told() -> None:
    shapes = outputs_of((1, 300, 80), (1, 300, 4), names=("logits", "pred_boxes"))
    assert recognise_shapes(NCHW640, shapes, {}).spec.family is None
    decode = read_of(recognise_shapes(NCHW640, shapes, {}, family="rtdetr"))
    assert (decode.head, decode.class_count) == ("raw", 80)
