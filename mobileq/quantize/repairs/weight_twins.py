"""Layers with what 8 bits change of another layer's weights, and what that changes of its output.

Layers are linear: what rounded weights change of an output is the layer of the changes alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mobileq.quantize.repairs.layerwise import rounded_for

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import NodeProto, TensorProto


def twin(layer: NodeProto, weights: NDArray[Any], output: str) -> tuple[NodeProto, TensorProto]:
    """A node beside `layer`, and the weights that it has; it has no bias.

    Args:
        layer: Takes its weights second: Conv, ConvTranspose, Gemm, MatMul.
        output: What the new node gives.
    """
    from onnx import NodeProto, numpy_helper

    errors = (rounded_for(layer, weights) - weights).astype("float32")
    stored = numpy_helper.from_array(errors, f"{output}/weights")
    made = NodeProto()
    made.CopyFrom(layer)
    made.name = output
    made.input[:] = [layer.input[0], stored.name]
    made.output[:] = [output]
    return made, stored
