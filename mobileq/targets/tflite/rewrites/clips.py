"""Clips of what a convolution gives, in its kernel.

onnx2tf 2.6.9 joins them where both have their channels last. Behind a convolution whose result
`channels_last` has turned they stand for themselves, where int8 has no kernel for them.
"""

from __future__ import annotations

from typing import Any

from mobileq.targets.tflite import contents
from mobileq.targets.tflite.wiring import Wiring

_CLIPS = ("RELU", "RELU6")
_KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def clip_in_kernels(model: Any) -> bool:
    """Let convolutions clip what nothing else takes.

    Returns:
        Whether there was any.
    """
    from ai_edge_litert import schema_py_generated as schema

    wiring, changed = Wiring(model), False
    functions = schema.ActivationFunctionType
    for op in contents.ops_of(model, *_CLIPS):
        taken = int(op.inputs[0])
        kernel, given = wiring.makers.get(taken), list(op.outputs)
        if kernel is None or wiring.kind(kernel) not in _KERNELS:
            continue
        options = kernel.builtinOptions
        if wiring.only_taker(taken) is not op or options.fusedActivationFunction != functions.NONE:
            continue
        options.fusedActivationFunction = getattr(functions, wiring.kind(op))
        kernel.outputs = given
        wiring.ops.remove(op)
        changed = True
    return changed
