"""Hard swish in int8 by ops that XNNPACK has.

XNNPACK (LiteRT 2.1.2) has no int8 HARD_SWISH. TFLite's own takes twice as long as a MUL, an ADD and
a MUL, and cuts the graph that XNNPACK runs into pieces.
"""

from __future__ import annotations

from typing import Any

from mobileq.targets.tflite import editing
from mobileq.targets.tflite.wiring import Wiring


def split_hard_swishes(model: Any) -> None:
    """Turn each int8 HARD_SWISH into x * clip(x / 6 + 1/2, 0, 1), int8 doing the clip."""
    graph = model.subgraphs[0]
    for op, source, quant in Wiring(model).int8_inputs("HARD_SWISH"):
        shape, name = graph.tensors[source].shape, graph.tensors[int(op.outputs[0])].name
        # The same codes as x, on a sixth of its scale: nothing is rounded.
        scale, zero_point = quant.scale[0] / 6, quant.zero_point[0]
        sixth = editing.int8_tensor(name + b"/sixth", shape, scale, zero_point)
        gate = editing.int8_tensor(name + b"/gate", shape, 1 / 255, -128)
        constants = (
            editing.int8_tensor(sixth.name, [1], 1 / 6 / 127),
            editing.int8_tensor(gate.name, [1], 1 / 2 / 127),
        )
        factor, term = (editing.add_scalar_like(model, each, 127) for each in constants)
        scaled = editing.insert_op(model, op, "MUL", [source, factor], sixth)
        clipped = editing.insert_op(model, op, "ADD", [scaled, term], gate)
        editing.insert_op(model, op, "MUL", [source, clipped], int(op.outputs[0]))
        graph.operators.remove(op)
