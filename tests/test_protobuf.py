"""A model that is written in parts is read as the same model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from mobileq.protobuf import write_model
from tests.graph.builders import model_of, yolov8
from tests.graph.hostile import endless


def test_file_is_read_as_the_model(tmp_path: Path) -> None:
    large = model_of(
        "g (float[1,300] x) => (float[1,300] y) { y = MatMul(x, w) }",
        {"w": np.random.default_rng(0).random((300, 300), np.float32)},
        metadata={"names": "one"},
    )
    for model in (yolov8(), endless(), large, onnx.ModelProto()):
        write_model(model, tmp_path / "x.onnx")
        assert onnx.load(tmp_path / "x.onnx") == model
