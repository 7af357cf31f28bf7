"""Constants as loaders want them that verify a file before they build it.

LiteRT's interpreter takes what follows; MediaPipe 1.2.3 and whoever else calls TFLite's verifier
refuse the file. Seen in what onnx2tf 2.6.9 makes of a NonMaxSuppression and of what follows it.
"""

from __future__ import annotations

from typing import Any

from mobileq.targets.tflite import contents


def tell_constants(model: Any) -> bool:
    """Let all graphs of a file say what is constant and what is computed.

    A constant of no elements (the shape of a scalar) has data, though empty: without, it counts as
    a tensor that no op gives. What an op gives has none.

    Returns:
        Whether anything was to be done.
    """
    changed = False
    for graph in model.subgraphs:
        given = {int(index) for op in graph.operators for index in op.outputs}
        taken = {int(index) for op in graph.operators for index in op.inputs if int(index) >= 0}
        for index in given:
            tensor = graph.tensors[index]
            if contents.has_data(model, tensor):
                tensor.buffer, changed = 0, True  # the first buffer is empty in every file
        for index in taken - given - set(map(int, graph.inputs)):
            changed |= _fill_with_nothing(model, graph.tensors[index])
    return changed


def _fill_with_nothing(model: Any, tensor: Any) -> bool:
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    is_empty = tensor.shape is not None and 0 in tensor.shape and not tensor.isVariable
    if not is_empty or (tensor.buffer and model.buffers[tensor.buffer].data is not None):
        return False
    buffer = schema.BufferT()
    buffer.data = np.empty(0, np.uint8)
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
    return True
