from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto

from mobileq.graph.index import GraphIndex
from mobileq.graph.outline import tensor_specs
from mobileq.tasks.detect.evidence import Evidence, gather_evidence
from tests.graph.builders import (
    STRIDES,
    TOTAL,
    YOLOV5_ANCHORS,
    end2end,
    model_of,
    nanodet_single,
    small_model,
    ssd,
    yolov5,
    yolov8,
    yolox,
)


def evidence_of(model: ModelProto) -> Evidence:
    inputs, outputs = tensor_specs(model)
    return gather_evidence(GraphIndex(model), [each.name for each in outputs], inputs[0].shape[2])


@pytest.mark.parametrize("expand", [True, False])
def test_anchors_are_read_per_stride_in_pixels(expand: bool) -> None:
    assert dict(evidence_of(yolov5(expand=expand)).anchors) == YOLOV5_ANCHORS


def test_anchors_that_differ_between_cells_are_not_taken() -> None:
    model = yolov5()
    for tensor in model.graph.initializer:
        if tensor.name == "anchors1":
            data = bytearray(tensor.raw_data)
            data[-4:] = b"\0\0\0\0"
            tensor.raw_data = bytes(data)
    assert set(evidence_of(model).anchors) == {8, 32}


def test_square_written_as_a_product_is_recognised() -> None:
    model = yolov5()
    for node in model.graph.node:
        if node.op_type == "Pow":
            node.op_type = "Mul"
            node.input[1] = node.input[0]
    assert tuple(evidence_of(model).anchors) == STRIDES


def test_pieces_are_found_by_the_total_they_make() -> None:
    pieces = evidence_of(yolox(classes=6)).outputs["output"].pieces
    assert [piece.channels for piece in pieces[11]] == [4, 1, 6]
    assert [piece.activated for piece in pieces[11]] == [False, True, True]
    assert [piece.untouched for piece in pieces[11]] == [True, False, False]
    assert [piece.channels for piece in pieces[TOTAL]] == [96, 24, 6]


def test_distribution_bins_come_from_the_softmax() -> None:
    assert evidence_of(yolov8(bins=12)).outputs["output0"].softmax_bins == 12
    assert evidence_of(yolox()).outputs["output"].softmax_bins == 0


def test_convolution_over_bins_need_not_have_exact_weights() -> None:
    model = yolov8()
    for tensor in model.graph.initializer:
        if tensor.name == "dfl":
            tensor.raw_data = bytes(b ^ 1 for b in tensor.raw_data)
    assert evidence_of(model).outputs["output0"].softmax_bins == 16


def test_softmax_before_the_last_convolution_is_not_of_the_head() -> None:
    model = model_of(
        """g (float[1,3,8,8] x) => (float[1,1,8,8] y) {
            s = Softmax<axis = 1>(x)
            t = Relu(s)
            y = Conv(t, w)
        }""",
        {"w": np.ones((1, 3, 1, 1), np.float32)},
    )
    assert evidence_of(model).outputs["y"].softmax_bins == 0


def test_class_count_comes_from_suppression_or_from_the_index() -> None:
    assert evidence_of(ssd(classes=7)).class_count == 7
    assert evidence_of(end2end(classes=9)).class_count == 9
    assert evidence_of(small_model()).class_count is None


def test_scores_come_from_top_k_and_classes_were_integers() -> None:
    outputs = evidence_of(ssd()).outputs
    assert (outputs["first"].takes_ids, outputs["first"].takes_top_k) == (True, False)
    assert (outputs["second"].takes_ids, outputs["second"].takes_top_k) == (False, True)
    assert not outputs["first"].adds_one
    assert evidence_of(ssd(from_one=True)).outputs["first"].adds_one


def test_raw_distances_are_untouched() -> None:
    pieces = evidence_of(nanodet_single(6)).outputs["output"].pieces[38]
    assert [(p.channels, p.activated, p.untouched) for p in pieces] == [
        (6, True, False),
        (32, False, True),
    ]
