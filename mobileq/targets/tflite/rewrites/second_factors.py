"""Products of two activations whose second factor has a zero-point of 0.

XNNPACK (LiteRT 2.1.2) multiplies two activations as if the second one's zero-point were 0. Behind a
softmax it is -128, and the attention of a YOLO11 was noise.
"""

from __future__ import annotations

from typing import Any

from mobileq.targets.tflite import contents, editing


def centre_factors(model: Any) -> bool:
    """Put a QUANTIZE before each BATCH_MATMUL whose second int8 factor has a zero-point but 0.

    Returns:
        Whether there was any.
    """
    graph, found = model.subgraphs[0], False
    for op in list(graph.operators):
        if contents.op_name(model, op) != "BATCH_MATMUL":
            continue
        source = int(op.inputs[1])
        factor = graph.tensors[source]
        quant = contents.tensor_quant(factor)
        if contents.dtype_name(factor) != "int8" or quant is None or not any(quant.zero_point):
            continue
        like = editing.symmetric(quant)
        op.inputs = [int(op.inputs[0]), editing.insert_quantize(model, op, source, like)]
        found = True
    return found
