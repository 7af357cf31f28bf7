"""How the models of the data folder are fed and read, written down by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime

from mobileq.spec import PreprocessSpec
from mobileq.spec.decode import DecodeSpec, HeadOutput, OutputRole

STRIDES = (8, 16, 32)


@dataclass(frozen=True)
class RealModel:
    file: str
    preprocess: PreprocessSpec
    decode: DecodeSpec
    raw: DecodeSpec | None = None
    dtype: Literal["float32", "uint8"] = "float32"


def outputs(**roles: OutputRole) -> tuple[HeadOutput, ...]:
    return tuple(HeadOutput(name=name, role=role) for name, role in roles.items())


def of_strides(*rows: tuple[str, OutputRole, int]) -> tuple[HeadOutput, ...]:
    return tuple(HeadOutput(name=name, role=role, stride=stride) for name, role, stride in rows)


MODELS = {
    "yolov5": RealModel(
        file="yolov5n.onnx",
        preprocess=PreprocessSpec(width=640, height=640),
        decode=DecodeSpec(kind="yolov5", class_count=80, outputs=outputs(output0="predictions")),
        raw=DecodeSpec(
            kind="yolov5",
            class_count=80,
            head="raw",
            strides=STRIDES,
            anchors=(
                ((10, 13), (16, 30), (33, 23)),
                ((30, 61), (62, 45), (59, 119)),
                ((116, 90), (156, 198), (373, 326)),
            ),
            outputs=of_strides(
                ("/model.24/m.0/Conv_output_0", "predictions", 8),
                ("/model.24/m.1/Conv_output_0", "predictions", 16),
                ("/model.24/m.2/Conv_output_0", "predictions", 32),
            ),
        ),
    ),
    "yolov8": RealModel(
        file="yolov8n_320_deq.onnx",
        preprocess=PreprocessSpec(width=320, height=320),
        decode=DecodeSpec(kind="yolov8", class_count=80, outputs=outputs(output0="predictions")),
        raw=DecodeSpec(
            kind="yolov8",
            class_count=80,
            head="raw",
            strides=STRIDES,
            reg_max=16,
            outputs=of_strides(
                ("/model.22/cv2.0/cv2.0.2/Conv_output_0", "box_distribution", 8),
                ("/model.22/cv2.1/cv2.1.2/Conv_output_0", "box_distribution", 16),
                ("/model.22/cv2.2/cv2.2.2/Conv_output_0", "box_distribution", 32),
                ("/model.22/cv3.0/cv3.0.2/Conv_output_0", "class_logits", 8),
                ("/model.22/cv3.1/cv3.1.2/Conv_output_0", "class_logits", 16),
                ("/model.22/cv3.2/cv3.2.2/Conv_output_0", "class_logits", 32),
            ),
        ),
    ),
    "yolox": RealModel(
        file="yolox_nano.onnx",
        preprocess=PreprocessSpec(
            width=416,
            height=416,
            resize_mode="letterbox_top_left",
            channel_order="BGR",
            rescale_factor=1.0,
        ),
        decode=DecodeSpec(
            kind="yolox", class_count=80, outputs=outputs(output="predictions"), strides=STRIDES
        ),
        raw=DecodeSpec(
            kind="yolox",
            class_count=80,
            head="raw",
            strides=STRIDES,
            outputs=of_strides(
                ("onnx::Concat_1062", "box_regression", 8),
                ("onnx::Sigmoid_1063", "objectness_logits", 8),
                ("onnx::Sigmoid_1045", "class_logits", 8),
                ("onnx::Concat_1104", "box_regression", 16),
                ("onnx::Sigmoid_1105", "objectness_logits", 16),
                ("onnx::Sigmoid_1087", "class_logits", 16),
                ("onnx::Concat_1146", "box_regression", 32),
                ("onnx::Sigmoid_1147", "objectness_logits", 32),
                ("onnx::Sigmoid_1129", "class_logits", 32),
            ),
        ),
    ),
    "nanodet": RealModel(
        file="nanodet.onnx",
        preprocess=PreprocessSpec(
            width=320,
            height=320,
            resize_mode="letterbox",
            pad_value=0,
            channel_order="BGR",
            rescale_factor=1.0,
            image_mean=(103.53, 116.28, 123.675),
            image_std=(57.375, 57.12, 58.395),
        ),
        decode=DecodeSpec(
            kind="nanodet",
            class_count=80,
            strides=STRIDES,
            reg_max=8,
            # The file's names do not say what its outputs hold; their shapes do.
            outputs=of_strides(
                ("cls_score0", "class_scores", 8),
                ("bbox_pred0", "class_scores", 16),
                ("cls_score1", "class_scores", 32),
                ("bbox_pred1", "box_distribution", 8),
                ("cls_score2", "box_distribution", 16),
                ("bbox_pred2", "box_distribution", 32),
            ),
        ),
        raw=DecodeSpec(
            kind="nanodet",
            class_count=80,
            head="raw",
            strides=STRIDES,
            reg_max=8,
            outputs=of_strides(
                ("786", "predictions", 8), ("808", "predictions", 16), ("830", "predictions", 32)
            ),
        ),
    ),
    "ssd": RealModel(
        file="ssd_mobilenet_v1_pp_deq.onnx",
        preprocess=PreprocessSpec(width=300, height=300, resize_mode="stretch", layout="NHWC"),
        decode=DecodeSpec(
            kind="ssd",
            class_count=90,
            box_format="yxyx",
            box_unit="normalized",
            outputs=outputs(
                **{
                    "TFLite_Detection_PostProcess": "boxes",
                    "TFLite_Detection_PostProcess:1": "classes",
                    "TFLite_Detection_PostProcess:2": "scores",
                    "TFLite_Detection_PostProcess:3": "count",
                }
            ),
        ),
        dtype="uint8",
    ),
}


class Session:
    """ONNX Runtime on one core, with the inner tensors of the raw head as further outputs."""

    def __init__(self, folder: Path, model: RealModel, patch_distribution: bool = False) -> None:
        graph = onnx.load(folder / "models" / model.file)
        if model.raw is not None:
            for output in model.raw.outputs:
                graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(output.name))
        for tensor in graph.graph.initializer:
            if patch_distribution and tensor.name.endswith("dfl.conv.weight"):
                bins = np.arange(16, dtype=np.float32).reshape(1, 16, 1, 1)
                tensor.CopyFrom(onnx.numpy_helper.from_array(bins, tensor.name))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(graph.SerializeToString(), options)

    def run(self, tensor: np.ndarray) -> dict[str, np.ndarray]:
        names = [output.name for output in self._session.get_outputs()]
        values = self._session.run(None, {self._session.get_inputs()[0].name: tensor})
        return dict(zip(names, values, strict=True))
