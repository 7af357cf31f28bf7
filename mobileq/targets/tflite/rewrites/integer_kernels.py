"""Integer kernels that TFLite has and ai-edge-quantizer 0.5.1 leaves unused.

It knows neither LEAKY_RELU nor MINIMUM, and gives the constant of PADV2 (which onnx2tf makes of a
max pooling with padding) a scale of the wrong rank. They stay in float, with a DEQUANTIZE before
and a QUANTIZE behind: several times the time of the op. Here they are taken into the integers.
"""

from __future__ import annotations

from typing import Any

from mobileq.targets.tflite import contents, editing

_COPYING = {"PADV2": 2, "MINIMUM": 1}
"""Their kernels copy integers, and those of a constant, which is this input."""
_CHOOSING = {"REDUCE_MAX": 2, "TOPK_V2": 2, "ARG_MAX": 2, "ARG_MIN": 2, "SHAPE": 1}
"""{op: the first version of its kernel for int8}; to that of SHAPE numbers are nothing."""
_LOWEST = {"int8": -128, "int16": -32768}


def narrow_ops(model: Any) -> None:
    """Turn DEQUANTIZE, op, QUANTIZE into the op on integers, for the ops above."""
    graph = model.subgraphs[0]
    # Backwards: what is behind a float op must be an integer before the op itself can be.
    for op in list(reversed(graph.operators)):
        name = contents.op_name(model, op)
        if name in _COPYING:
            _narrow_copy(model, graph, op, _COPYING[name])
        elif name == "LEAKY_RELU":
            _narrow_activation(model, graph, op)


def narrow_choices(model: Any) -> None:
    """Let ops that choose among values, which ai-edge-quantizer 0.5.1 does not know, do so among
    their codes; what they give has the scale of what they take."""
    graph = model.subgraphs[0]
    for op in list(graph.operators):
        before = _dequantize(model, graph, op)
        version = _CHOOSING.get(contents.op_name(model, op))
        if version is None or before is None:
            continue
        source = int(before.inputs[0])
        op.inputs = [source, *map(int, op.inputs[1:])]
        editing.require_version(model, op, version)
        for position, index in enumerate(map(int, op.outputs)):
            if _dtype(graph, index) == "float32":
                _give_codes(model, graph, op, position, graph.tensors[source])
        _drop_unused(graph, before)


def _give_codes(model: Any, graph: Any, op: Any, position: int, like: Any) -> None:
    """Make an output of integers, and a DEQUANTIZE of it for those that take floats."""
    given = int(op.outputs[position])
    takers = [other for other in graph.operators if given in map(int, other.inputs)]
    codes = editing.tensor_like(model, given, like)
    op.outputs = [codes if at == position else int(each) for at, each in enumerate(op.outputs)]
    for taker in takers:
        if contents.op_name(model, taker) == "QUANTIZE":
            taker.inputs = [codes]
    still = [other for other in takers if given in map(int, other.inputs)]
    if still or given in map(int, graph.outputs):
        after = graph.operators[graph.operators.index(op) + 1]
        editing.insert_op(model, after, "DEQUANTIZE", [codes], given)


def _narrow_activation(model: Any, graph: Any, op: Any) -> None:
    before, after = _dequantize(model, graph, op), _only_quantize(model, graph, op)
    if before is None or after is None:
        return
    types = {_dtype(graph, index) for index in (before.inputs[0], after.outputs[0])}
    if len(types) != 1:
        return
    op.inputs, op.outputs = [int(before.inputs[0])], [int(after.outputs[0])]
    graph.operators.remove(after)
    _drop_unused(graph, before)


def _narrow_copy(model: Any, graph: Any, op: Any, position: int) -> None:
    after = _only_quantize(model, graph, op)
    if after is None or _dtype(graph, op.inputs[0]) != "float32":
        return
    result = graph.tensors[int(after.outputs[0])]
    code = _constant_code(model, graph.tensors[int(op.inputs[position])], result)
    if code is None:
        return
    # The integers must mean the same before and behind.
    before, source = _dequantize(model, graph, op), int(op.inputs[0])
    if before is not None:
        source = int(before.inputs[0])
    if before is None or not _same_quant(graph.tensors[source], result):
        source = editing.insert_quantize(model, op, source, result)
    constant = editing.add_scalar_like(model, result, code)
    op.inputs = [source, *map(int, op.inputs[1:])]
    op.inputs[position], op.outputs = constant, [int(after.outputs[0])]
    graph.operators.remove(after)
    if before is not None:
        _drop_unused(graph, before)


def _dequantize(model: Any, graph: Any, op: Any) -> Any | None:
    """The DEQUANTIZE of integers that gives the op's first input."""
    for other in graph.operators:
        if int(op.inputs[0]) in map(int, other.outputs):
            known = _dtype(graph, other.inputs[0]) in _LOWEST
            return other if known and contents.op_name(model, other) == "DEQUANTIZE" else None
    return None


def _only_quantize(model: Any, graph: Any, op: Any) -> Any | None:
    """The QUANTIZE that alone takes the op's output."""
    given = int(op.outputs[0])
    takers = [other for other in graph.operators if given in map(int, other.inputs)]
    if len(takers) != 1 or given in map(int, graph.outputs):
        return None
    known = _dtype(graph, takers[0].outputs[0]) in _LOWEST
    return takers[0] if known and contents.op_name(model, takers[0]) == "QUANTIZE" else None


def _drop_unused(graph: Any, dequantize: Any) -> None:
    given = int(dequantize.outputs[0])
    used = any(given in map(int, other.inputs) for other in graph.operators)
    if not used and given not in map(int, graph.outputs):
        graph.operators.remove(dequantize)


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


def _dtype(graph: Any, index: Any) -> str:
    return contents.dtype_name(graph.tensors[int(index)])
