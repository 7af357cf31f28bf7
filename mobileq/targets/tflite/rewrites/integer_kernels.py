"""Integer kernels that TFLite has and ai-edge-quantizer 0.5.1 leaves unused.

It knows neither LEAKY_RELU nor MINIMUM, and gives the constant of PADV2 (which onnx2tf makes of a
max pooling with padding) a scale of the wrong rank. They stay in float, with a DEQUANTIZE before
and a QUANTIZE behind: several times the time of the op. Here they are taken into the integers.
"""

from __future__ import annotations

from typing import Any

from mobileq.targets.tflite import contents, editing
from mobileq.targets.tflite.wiring import Wiring

_COPYING = {"PADV2": 2, "MINIMUM": 1}
"""Their kernels copy integers, and those of a constant, which is this input."""
_CHOOSING = {"REDUCE_MAX": 2, "TOPK_V2": 2, "ARG_MAX": 2, "ARG_MIN": 2, "SHAPE": 1}
"""{op: the first version of its kernel for int8}; to that of SHAPE numbers are nothing."""
_LOWEST = {"int8": -128, "int16": -32768}


def narrow_ops(model: Any) -> None:
    """Turn DEQUANTIZE, op, QUANTIZE into the op on integers, for the ops above."""
    wiring = Wiring(model)
    # Backwards: what is behind a float op must be an integer before the op itself can be.
    for op in reversed(contents.ops_of(model, *_COPYING, "LEAKY_RELU")):
        position = _COPYING.get(wiring.kind(op))
        if position is None:
            _narrow_activation(wiring, op)
        else:
            _narrow_copy(model, wiring, op, position)


def narrow_choices(model: Any) -> None:
    """Let ops that choose among values, which ai-edge-quantizer 0.5.1 does not know, do so among
    their codes; what they give has the scale of what they take."""
    wiring, tensors = Wiring(model), model.subgraphs[0].tensors
    for op in contents.ops_of(model, *_CHOOSING):
        before = _dequantize(wiring, op)
        if before is None:
            continue
        source = int(before.inputs[0])
        op.inputs = [source, *map(int, op.inputs[1:])]
        editing.require_version(model, op, _CHOOSING[wiring.kind(op)])
        for position, index in enumerate(op.outputs):
            if wiring.dtype(index) == "float32":
                _give_codes(model, wiring, op, position, tensors[source])
        _drop_unused(wiring, before)


def _give_codes(model: Any, wiring: Wiring, op: Any, position: int, like: Any) -> None:
    """Make an output of integers, and a DEQUANTIZE of it for those that take floats."""
    given = int(op.outputs[position])
    takers = wiring.takers(given)
    codes = editing.tensor_like(model, given, like)
    op.outputs = [codes if at == position else int(each) for at, each in enumerate(op.outputs)]
    for taker in takers:
        if wiring.kind(taker) == "QUANTIZE":
            taker.inputs = [codes]
    if not wiring.is_unused(given):
        after = wiring.ops[wiring.ops.index(op) + 1]
        editing.insert_op(model, after, "DEQUANTIZE", [codes], given)


def _narrow_activation(wiring: Wiring, op: Any) -> None:
    before, after = _dequantize(wiring, op), _only_quantize(wiring, op)
    if before is None or after is None:
        return
    if wiring.dtype(before.inputs[0]) != wiring.dtype(after.outputs[0]):
        return
    op.inputs, op.outputs = [int(before.inputs[0])], [int(after.outputs[0])]
    wiring.ops.remove(after)
    _drop_unused(wiring, before)


def _narrow_copy(model: Any, wiring: Wiring, op: Any, position: int) -> None:
    tensors, after = model.subgraphs[0].tensors, _only_quantize(wiring, op)
    if after is None or wiring.dtype(op.inputs[0]) != "float32":
        return
    result = tensors[int(after.outputs[0])]
    code = _constant_code(model, tensors[int(op.inputs[position])], result)
    if code is None:
        return
    # The integers must mean the same before and behind.
    before, source = _dequantize(wiring, op), int(op.inputs[0])
    if before is not None:
        source = int(before.inputs[0])
    if before is None or not _same_quant(tensors[source], result):
        source = editing.insert_quantize(model, op, source, result)
    constant = editing.add_scalar_like(model, result, code)
    op.inputs = [source, *map(int, op.inputs[1:])]
    op.inputs[position], op.outputs = constant, [int(after.outputs[0])]
    wiring.ops.remove(after)
    if before is not None:
        _drop_unused(wiring, before)


def _dequantize(wiring: Wiring, op: Any) -> Any | None:
    """The DEQUANTIZE of integers that gives the op's first input."""
    for other in wiring.ops:
        if int(op.inputs[0]) in map(int, other.outputs):
            known = wiring.dtype(other.inputs[0]) in _LOWEST
            return other if known and wiring.kind(other) == "DEQUANTIZE" else None
    return None


def _only_quantize(wiring: Wiring, op: Any) -> Any | None:
    """The QUANTIZE that alone takes the op's output."""
    taker = wiring.only_taker(op.outputs[0])
    if taker is None or wiring.kind(taker) != "QUANTIZE":
        return None
    return taker if wiring.dtype(taker.outputs[0]) in _LOWEST else None


def _drop_unused(wiring: Wiring, dequantize: Any) -> None:
    if wiring.is_unused(dequantize.outputs[0]):
        wiring.ops.remove(dequantize)


def _constant_code(model: Any, constant: Any, like: Any) -> int | None:
    """The integer for a constant: the lowest for all that is lower; None if it is no single one."""
    import numpy as np

    data, quant = model.buffers[constant.buffer].data, contents.tensor_quant(like)
    if data is None or quant is None or len(bytes(data)) != 4:
        return None
    lowest = _LOWEST[contents.dtype_name(like)]
    code = float(np.frombuffer(bytes(data), "<f4")[0]) / quant.scale[0] + quant.zero_point[0]
    return round(min(max(code, lowest), -lowest - 1))


def _same_quant(first: Any, second: Any) -> bool:
    same_type = first.type == second.type
    return same_type and contents.tensor_quant(first) == contents.tensor_quant(second)
