"""Limits of as many axes as what they limit.

A limit takes the scale of what it limits, and ai-edge-quantizer 0.5.1 refuses one of fewer axes.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from mobileq.targets.tflite import contents, editing
from mobileq.targets.tflite.op_facts import LIMITING


def widen_limits(model: Any) -> bool:
    """Give the constants of MAXIMUM and MINIMUM in a float32 model as many axes as their results.

    Returns:
        Whether there was any of fewer.
    """
    graph, found = model.subgraphs[0], False
    takers = Counter(int(index) for op in graph.operators for index in op.inputs)
    for op in contents.ops_of(model, *LIMITING):
        result = graph.tensors[int(op.outputs[0])]
        for position, index in enumerate(op.inputs):
            limit = graph.tensors[int(index)]
            values = contents.float32_values(model, limit)
            missing = len(result.shape) - (0 if values is None else values.ndim)
            if values is None or missing <= 0:
                continue
            wide = values.reshape((1,) * missing + values.shape)
            if takers[int(index)] == 1:
                limit.shape = list(wide.shape)
            else:
                name = result.name + b"/limit%d" % position
                inputs = [int(each) for each in op.inputs]
                inputs[position] = editing.add_constant(model, name, wide)
                op.inputs = inputs
            found = True
    return found
