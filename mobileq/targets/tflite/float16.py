"""Half-precision weights: float16 in the file, widened to float32 once, when it is loaded.

ai-edge-quantizer 0.5.1 halves weights but not biases, and XNNPACK (LiteRT 2.1.2) takes over a
convolution only where both are float16 or both float32: its files run on plain kernels, 3 to 5
times slower than float32 ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mobileq.targets.tflite import flatbuffer

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
_LARGEST = 65504.0
"""The largest float16. A tensor with more in it stays float32, with its op's other constants."""


def halve_weights(source: Path, output: Path) -> None:
    """Write `output`: `source` with the weights and biases of its weighted ops in float16."""
    model = flatbuffer.read_model(source)
    halve_constants(model)
    flatbuffer.write_model(model, output)


def halve_constants(model: Any) -> None:
    """Put the float32 weights of weighted ops, and the biases beside them, into float16."""
    graph = model.subgraphs[0]
    halved: set[int] = set()
    for op in list(graph.operators):
        if flatbuffer.op_name(model, op) not in _WEIGHTED:
            continue
        constants = [i for i in map(int, op.inputs) if _is_float_constant(model, graph, i)]
        if int(op.inputs[1]) not in constants:
            continue  # integers, whose bias must stay as it is
        if all(_fits(model, graph.tensors[index]) for index in constants):
            halved.update(constants)
    # Ops stand in the order they run, and a weight is needed before its op.
    graph.operators = [
        *(flatbuffer.halve_constant(model, index) for index in sorted(halved)),
        *graph.operators,
    ]


def _is_float_constant(model: Any, graph: Any, index: int) -> bool:
    if index < 0:
        return False
    tensor = graph.tensors[index]
    data = model.buffers[tensor.buffer].data
    return flatbuffer.dtype_name(tensor) == "float32" and data is not None and len(data) > 0


def _fits(model: Any, tensor: Any) -> bool:
    import numpy as np

    values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), "<f4")
    return bool(np.abs(values).max(initial=0.0) <= _LARGEST)
