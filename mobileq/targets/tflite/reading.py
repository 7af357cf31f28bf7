"""Read a .tflite file without running it."""

from __future__ import annotations

from pathlib import Path

from mobileq.targets.model_file import ModelFile, quantized_tensor
from mobileq.targets.tflite import counting, flatbuffer
from mobileq.targets.tflite.metadata import embedded_spec, read_foreign_metadata
from mobileq.targets.tflite.tensors import code_limits, file_tensors, quantized_activations


def read_file(path: Path) -> ModelFile:
    """See `mobileq.targets.base.Target.read`."""
    model = flatbuffer.read_model(path)
    inputs, outputs = file_tensors(model)
    spec = embedded_spec(path)
    return ModelFile(
        inputs=inputs,
        outputs=outputs,
        ops=counting.op_counts(model),
        tensor_types=counting.tensor_types(model),
        quantized=tuple(
            quantized_tensor(name, dtype, quant.scale[0], quant.zero_point[0], *code_limits(dtype))
            for name, dtype, quant in quantized_activations(model)
        ),
        spec=spec,
        metadata={} if spec else read_foreign_metadata(path),
    )
