"""Products of two activations whose second factor has a zero-point of 0.

XNNPACK (LiteRT 2.1.2) multiplies two activations as if the second one's zero-point were 0. Behind a
softmax it is -128, and the attention of a YOLO11 was noise.
"""

from __future__ import annotations

from typing import Any

from mobileq.targets.tflite import editing
from mobileq.targets.tflite.wiring import Wiring


def centre_factors(model: Any) -> bool:
    """Put a QUANTIZE before each BATCH_MATMUL whose second int8 factor has a zero-point but 0.

    Returns:
        Whether there was any.
    """
    found = False
    for op, source, quant in Wiring(model).int8_inputs("BATCH_MATMUL", at=1):
        if any(quant.zero_point):
            like = editing.symmetric(quant)
            op.inputs = [int(op.inputs[0]), editing.insert_quantize(model, op, source, like)]
            found = True
    return found
