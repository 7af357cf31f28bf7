from __future__ import annotations

import pytest

from mobileq.preparation.recognise import recognise, recognise_shapes
from mobileq.spec.decode import HeadOutput
from tests.graph.builders import (
    nanodet,
    nanodet_single,
    outputs_of,
    picture,
)


def test_pairs_are_found_by_shape_whatever_the_names() -> None:
    # As in exports whose names are in another order than the tensors.
    names = ("cls0", "box0", "cls1", "box1", "cls2", "box2")
    found = recognise(nanodet(names=names), labels=[f"n{i}" for i in range(6)])
    assert (found.spec.family, found.notices) == ("nanodet", ())
    assert found.spec.decode is not None
    assert found.spec.decode.reg_max == 8
    assert found.spec.decode.outputs == (
        HeadOutput(name="cls0", role="class_scores", stride=8),
        HeadOutput(name="box1", role="box_distribution", stride=8),
        HeadOutput(name="box0", role="class_scores", stride=16),
        HeadOutput(name="cls2", role="box_distribution", stride=16),
        HeadOutput(name="cls1", role="class_scores", stride=32),
        HeadOutput(name="box2", role="box_distribution", stride=32),
    )
    assert found.spec.preprocess is not None
    assert found.spec.preprocess.channel_order == "BGR"
    assert found.spec.preprocess.image_mean == (103.53, 116.28, 123.675)
    assert (found.spec.preprocess.resize_mode, found.spec.preprocess.pad_value) == ("letterbox", 0)


def test_pictures_of_nanodet_plus_are_stretched() -> None:
    cells = 52 * 52 + 26 * 26 + 13 * 13 + 7 * 7
    found = recognise_shapes(picture(1, 3, 416, 416), outputs_of((1, cells, 112)), {})
    assert (found.spec.family, found.spec.preprocess.resize_mode) == ("nanodet", "stretch")


def test_as_many_classes_as_distance_values_are_told_by_the_sigmoid() -> None:
    found = recognise(nanodet(32))
    assert found.spec.decode is not None
    roles = {output.name: output.role for output in found.spec.decode.outputs}
    assert roles["c0"] == "class_scores"
    assert roles["d0"] == "box_distribution"


def test_without_a_sigmoid_classes_are_logits() -> None:
    model = nanodet(6)
    for node in model.graph.node:
        if node.op_type == "Sigmoid":
            node.op_type = "Identity"
    found = recognise(model)
    assert found.spec.decode is not None
    assert found.spec.decode.outputs[0].role == "class_logits"


def test_shapes_alone_are_ambiguous_with_equal_widths() -> None:
    shapes = [(1600, 32), (400, 32), (100, 32)] * 2
    found = recognise_shapes(picture(1, 3, 320, 320), outputs_of(*shapes), {})
    assert found.spec.family is None
    assert "unclear which" in found.reasons["nanodet"]


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ([(1600, 80), (400, 80), (100, 80), (1600, 32), (400, 32)], "no pairs of 1600, 400"),
        ([(1600, 80), (1, 80, 20, 20)], "is no [cells, values]"),
        ([(1600, 80), (1600, 32), (400, 80), (400, 32), (100, 81), (100, 32)], "different"),
    ],
)
def test_incomplete_or_uneven_pairs_are_refused(shapes: list[tuple[int, ...]], reason: str) -> None:
    found = recognise_shapes(picture(1, 3, 320, 320), outputs_of(*shapes), {})
    assert reason in found.reasons["nanodet"]


def test_distances_must_be_four_distributions() -> None:
    shapes = [(n, c) for n in (1600, 400, 100) for c in (80, 30)]
    names = {"names": str([f"n{i}" for i in range(80)])}
    found = recognise_shapes(picture(1, 3, 320, 320), outputs_of(*shapes), names)
    assert "30 values are no 4 distance distributions" in found.reasons["nanodet"]


def test_names_tell_classes_from_distances_without_a_graph() -> None:
    shapes = [(n, c) for n in (1600, 400, 100) for c in (64, 20)]
    names = {"names": str([f"n{i}" for i in range(20)])}
    found = recognise_shapes(picture(1, 3, 320, 320), outputs_of(*shapes), names)
    assert found.spec.decode is not None
    assert (found.spec.decode.class_count, found.spec.decode.reg_max) == (20, 16)
    assert found.spec.decode.outputs[0].name == "o1"


def test_two_outputs_for_each_of_four_strides_are_picodets() -> None:
    cells = (2704, 676, 169, 49)
    shapes = [(1, n, c) for n in cells for c in (80, 32)]
    found = recognise_shapes(picture(1, 3, 416, 416), outputs_of(*shapes), {})
    assert found.spec.family == "picodet"
    assert found.spec.decode is not None
    assert found.spec.decode.strides == (8, 16, 32, 64)
    assert found.spec.preprocess is not None
    assert found.spec.preprocess.channel_order == "RGB"
    assert found.spec.preprocess.image_mean == (123.675, 116.28, 103.53)


def test_single_output_is_recognised() -> None:
    found = recognise(nanodet_single(6))
    assert found.spec.family == "nanodet"
    assert found.spec.decode is not None
    assert (found.spec.decode.class_count, found.spec.decode.reg_max) == (6, 8)
    assert found.spec.decode.outputs == (HeadOutput(name="output", role="predictions"),)


def test_single_output_of_nanodet_plus_by_shape() -> None:
    outputs = outputs_of((1, 2125, 112))
    found = recognise_shapes(picture(1, 3, 320, 320), outputs, {})
    assert found.spec.family == "nanodet"
    assert found.spec.decode is not None
    assert (found.spec.decode.class_count, found.spec.decode.strides) == (80, (8, 16, 32, 64))
