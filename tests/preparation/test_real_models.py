"""The five models of the data folder, from the file to the spec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from mobileq.graph.load import load
from mobileq.graph.outline import op_counts
from mobileq.graph.trial_run import random_inputs, run
from mobileq.preparation.prepare import PreparedModel, prepare
from mobileq.spec import PreprocessSpec
from mobileq.spec.decode import DecodeSpec

pytestmark = pytest.mark.real_model

MODELS = ("nanodet", "ssd_mobilenet_v1_pp_deq", "yolov5n", "yolov8n_320_deq", "yolox_nano")


@pytest.fixture(scope="module")
def prepared(data_folder: Path) -> dict[str, PreparedModel]:
    return {name: prepare(data_folder / "models" / f"{name}.onnx") for name in MODELS}


def specs(model: PreparedModel) -> tuple[PreprocessSpec, DecodeSpec]:
    assert model.spec.preprocess is not None
    assert model.spec.decode is not None
    return model.spec.preprocess, model.spec.decode


@pytest.mark.parametrize("name", MODELS)
def test_simplified_model_computes_the_same(
    name: str, data_folder: Path, prepared: dict[str, PreparedModel]
) -> None:
    original = load(data_folder / "models" / f"{name}.onnx")
    inputs = random_inputs(original, 99)
    expected, actual = run(original, inputs), run(prepared[name].model, inputs)
    assert list(actual) == list(expected)
    for output in prepared[name].spec.outputs:
        assert actual[output.name].shape == output.shape
        scale = float(np.abs(expected[output.name]).max())
        np.testing.assert_allclose(
            actual[output.name], expected[output.name], rtol=1e-3, atol=1e-5 * scale
        )


def test_yolov5n(prepared: dict[str, PreparedModel]) -> None:
    model = prepared["yolov5n"]
    preprocess, decode = specs(model)
    assert model.spec.family == "yolov5"
    assert (preprocess.width, preprocess.resize_mode, preprocess.layout) == (
        640, "letterbox", "NCHW",
    )  # fmt: skip
    assert decode.class_count == 80
    assert decode.strides == (8, 16, 32)
    assert decode.anchors == (
        ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
        ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
        ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
    )
    assert model.spec.labels[5] == "bus"
    assert model.notices == ()


def test_yolov8n(prepared: dict[str, PreparedModel]) -> None:
    model = prepared["yolov8n_320_deq"]
    preprocess, decode = specs(model)
    assert model.spec.family == "yolov8"
    assert (preprocess.width, preprocess.height) == (320, 320)
    assert (decode.class_count, decode.reg_max, decode.strides) == (80, 16, (8, 16, 32))
    assert model.notices == ()


def test_yolox_nano(prepared: dict[str, PreparedModel]) -> None:
    model = prepared["yolox_nano"]
    preprocess, decode = specs(model)
    assert model.spec.family == "yolox"
    assert (preprocess.channel_order, preprocess.resize_mode) == ("BGR", "letterbox_top_left")
    assert (decode.class_count, decode.strides) == (80, (8, 16, 32))
    assert model.spec.labels[0] == "class 0"


def test_nanodet_pairs_and_static_outputs(prepared: dict[str, PreparedModel]) -> None:
    model = prepared["nanodet"]
    _, decode = specs(model)
    assert model.spec.family == "nanodet"
    assert (decode.class_count, decode.reg_max) == (80, 8)
    assert [(o.name, o.role, o.stride) for o in decode.outputs] == [
        ("cls_score0", "class_scores", 8),
        ("bbox_pred1", "box_distribution", 8),
        ("bbox_pred0", "class_scores", 16),
        ("cls_score2", "box_distribution", 16),
        ("cls_score1", "class_scores", 32),
        ("bbox_pred2", "box_distribution", 32),
    ]
    assert not {"Shape", "Constant", "Slice", "Gather"} & set(model.op_counts)
    assert all(min(output.shape) > 0 for output in model.spec.outputs)


def test_ssd_mobilenet(prepared: dict[str, PreparedModel]) -> None:
    model = prepared["ssd_mobilenet_v1_pp_deq"]
    preprocess, decode = specs(model)
    assert model.spec.family == "ssd"
    assert (preprocess.layout, preprocess.rescale_factor, preprocess.resize_mode) == (
        "NHWC", 1.0, "stretch",
    )  # fmt: skip
    assert [output.role for output in decode.outputs] == ["boxes", "classes", "scores", "count"]
    assert (decode.class_count, decode.box_format, decode.box_unit) == (90, "yxyx", "normalized")


def test_half_precision_copy_of_a_real_model_is_recognised_alike(
    data_folder: Path, prepared: dict[str, PreparedModel], tmp_path: Path
) -> None:
    model = load(data_folder / "models" / "yolov8n_320_deq.onnx")
    for tensor in model.graph.initializer:
        if tensor.data_type == 1:
            half = onnx.numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(onnx.numpy_helper.from_array(half, tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = 10
    for node in model.graph.node:
        # The scales of a resize are float32 whatever the picture is.
        if node.op_type == "Resize" and len(node.input) > 2:
            _widen(model, node.input[2])
    del model.graph.value_info[:]
    path = tmp_path / "yolov8n_320_deq.onnx"
    onnx.save(model, path)
    again = prepare(path)
    assert again.spec == prepared["yolov8n_320_deq"].spec
    assert again.op_counts == op_counts(prepared["yolov8n_320_deq"].model)


def _widen(model: onnx.ModelProto, name: str) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == name:
            array = onnx.numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, name))
