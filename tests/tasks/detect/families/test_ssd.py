from __future__ import annotations

import pytest

from mobileq.preparation.recognise import recognise, recognise_shapes
from tests.graph.builders import (
    outputs_of,
    picture,
    ssd,
)


@pytest.mark.parametrize("swapped", [True, False])
def test_roles_come_from_the_graph(swapped: bool) -> None:
    found = recognise(ssd(classes=7, swapped=swapped))
    assert found.spec.family == "ssd"
    assert found.spec.decode is not None
    roles = {output.role: output.name for output in found.spec.decode.outputs}
    assert roles == {
        "boxes": "boxes",
        "classes": "second" if swapped else "first",
        "scores": "first" if swapped else "second",
        "count": "count",
    }
    assert found.spec.decode.class_count == 7
    assert (found.spec.decode.box_format, found.spec.decode.box_unit) == ("yxyx", "normalized")


def test_top_k_alone_tells_the_scores() -> None:
    model = ssd(swapped=True)
    for node in model.graph.node:
        if node.output[0] == "ids_a":
            node.op_type = "Sqrt"
            del node.attribute[:]
            node.input[0] = "best"
        if node.output[0] == "ids_b":
            node.input[0] = "total"
    found = recognise(model)
    assert found.spec.decode is not None
    roles = {output.name: output.role for output in found.spec.decode.outputs}
    assert (roles["first"], roles["second"]) == ("scores", "classes")


def test_ids_that_count_from_one_get_a_background_label() -> None:
    found = recognise(ssd(classes=2, from_one=True), labels=["cat", "dog"])
    assert found.spec.labels == ("background", "cat", "dog")
    assert found.spec.decode is not None
    assert found.spec.decode.class_count == 3


def test_order_of_tensorflow_1_is_the_fallback() -> None:
    outputs = outputs_of((1, 10, 4), (1, 10), (1, 10), (1,), names=("b", "c", "s", "n"))
    found = recognise_shapes(picture(1, 300, 300, 3, dtype="uint8"), outputs, {})
    assert found.spec.decode is not None
    roles = {output.role: output.name for output in found.spec.decode.outputs}
    assert roles == {"boxes": "b", "classes": "c", "scores": "s", "count": "n"}
    assert found.spec.decode.class_count == 90
    assert "By their order" in found.notices[0]
    assert found.spec.preprocess is not None
    assert found.spec.preprocess.rescale_factor == 1.0
    assert found.spec.preprocess.layout == "NHWC"
    assert found.spec.preprocess.image_mean == (0.0, 0.0, 0.0)


def test_order_of_tensorflow_2_has_scores_first() -> None:
    outputs = outputs_of((1, 10), (1, 10, 4), (1,), (1, 10), names=("s", "b", "n", "c"))
    found = recognise_shapes(picture(1, 320, 320, 3), outputs, {})
    assert found.spec.decode is not None
    roles = {output.role: output.name for output in found.spec.decode.outputs}
    assert roles == {"boxes": "b", "classes": "c", "scores": "s", "count": "n"}
    assert found.spec.preprocess is not None
    assert found.spec.preprocess.image_mean == (127.5, 127.5, 127.5)
    assert "-1..1 is assumed" in " ".join(found.notices)


def test_four_of_eight_outputs_are_taken_by_name() -> None:
    names = ("detection_anchor_indices", "detection_boxes", "detection_classes",
             "detection_multiclass_scores", "detection_scores", "num_detections",
             "raw_detection_boxes", "raw_detection_scores")  # fmt: skip
    shapes = ((1, 100), (1, 100, 4), (1, 100), (1, 100, 91), (1, 100), (1,),
              (1, 1917, 4), (1, 1917, 91))  # fmt: skip
    found = recognise_shapes(picture(1, 320, 320, 3), outputs_of(*shapes, names=names), {})
    assert found.spec.family == "ssd"
    assert found.spec.decode is not None
    assert [output.name for output in found.spec.decode.outputs] == [
        "detection_boxes", "detection_classes", "detection_scores", "num_detections",
    ]  # fmt: skip


def test_lengths_must_agree() -> None:
    outputs = outputs_of((1, 10, 4), (1, 10), (1, 20), (1,))
    found = recognise_shapes(picture(1, 300, 300, 3), outputs, {})
    assert "different lengths" in found.reasons["ssd"]
