"""Half-precision weights: float16 in the file, widened to float32 once, when it is loaded.

ai-edge-quantizer 0.5.1 halves weights but not biases, and XNNPACK (LiteRT 2.1.2) takes over a
convolution only where both are float16 or both float32: its files run on plain kernels, 3 to 5
times slower than float32 ones.
"""

from __future__ import annotations

from typing import Any

from mobileq.targets.tflite import contents, editing
from mobileq.targets.tflite.op_facts import WEIGHTY

_LARGEST = 65504.0
"""The largest float16. A tensor with more in it stays float32, with its op's other constants."""


def halve_constants(model: Any) -> None:
    """Put the float32 weights of weighted ops, and the biases beside them, into float16."""
    graph = model.subgraphs[0]
    halved: set[int] = set()
    for op in contents.ops_of(model, *WEIGHTY):
        constants = [i for i in map(int, op.inputs) if _is_float_constant(model, graph, i)]
        if int(op.inputs[1]) not in constants:
            continue  # integers, whose bias must stay as it is
        if all(_fits(model, graph.tensors[index]) for index in constants):
            halved.update(constants)
    # Ops stand in the order they run, and a weight is needed before its op.
    graph.operators = [
        *(_halve_constant(model, index) for index in sorted(halved)),
        *graph.operators,
    ]


def _is_float_constant(model: Any, graph: Any, index: int) -> bool:
    if index < 0:
        return False
    tensor = graph.tensors[index]
    return contents.dtype_name(tensor) == "float32" and contents.has_data(model, tensor)


def _fits(model: Any, tensor: Any) -> bool:
    import numpy as np

    values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), "<f4")
    return bool(np.abs(values).max(initial=0.0) <= _LARGEST)


def _halve_constant(model: Any, index: int) -> Any:
    """Move a float32 constant into a float16 tensor.

    Returns the DEQUANTIZE op that widens it again, for the caller to put before its users.
    """
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    wide = graph.tensors[index]
    narrow, buffer = schema.TensorT(), schema.BufferT()
    values = np.frombuffer(bytes(model.buffers[wide.buffer].data), "<f4")
    buffer.data = np.frombuffer(values.astype("<f2").tobytes(), np.uint8)
    model.buffers.append(buffer)
    narrow.name, narrow.shape = wide.name + b"_float16", wide.shape
    narrow.type, narrow.buffer = schema.TensorType.FLOAT16, len(model.buffers) - 1
    if not any(other.buffer == wide.buffer for other in graph.tensors if other is not wide):
        model.buffers[wide.buffer].data = None
    wide.buffer = 0  # computed now
    op = schema.OperatorT()
    op.opcodeIndex = editing.opcode_index(model, "DEQUANTIZE", version=3)
    op.inputs, op.outputs = [editing.add_tensor(model, narrow)], [index]
    return op
