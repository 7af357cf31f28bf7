"""What converted files compute."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import onnx
from onnx import numpy_helper, parser

from mobileq.targets.onnxruntime.interpreter import OrtRunner

from ..tiny import TinyFile


def outputs_of(file: TinyFile, sample: int = 0) -> dict[str, np.ndarray]:
    """In this process: to start another takes a hundred times as long."""
    runner = OrtRunner(file.path, file.converted.inputs, file.converted.outputs, threads=1)
    with closing(runner):
        return runner.run({file.model.spec.inputs[0].name: file.model.samples[sample]})


def model_of(text: str, opset: int = 17, **constants: np.ndarray) -> onnx.ModelProto:
    """A model written as text."""
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{text}')
    for name, array in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    onnx.checker.check_model(model, full_check=True)
    return model


def made_types(model: onnx.ModelProto) -> dict[str, int]:
    """{tensor: its type} of all that a checked model computes."""
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    values = (*inferred.graph.value_info, *inferred.graph.output)
    return {value.name: value.type.tensor_type.elem_type for value in values}
