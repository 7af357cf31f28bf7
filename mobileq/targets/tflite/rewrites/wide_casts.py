"""Integers of 8 bits where 16 are wanted: normalizations begin there."""

from __future__ import annotations

from typing import Any

from mobileq.targets.tflite import editing
from mobileq.targets.tflite.wiring import Wiring


def cast_to_wide(model: Any) -> None:
    """Turn each QUANTIZE of 8 bits to 16 of an integer file, which LiteRT 2.1.2 refuses, to a CAST.

    A CAST keeps the codes, so that all that was x becomes x + zero-point * scale. Where a mean is
    taken from it that makes no difference; else the zero-point has to be 0 before.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph, wiring = model.subgraphs[0], Wiring(model)
    for op, source, quant in wiring.int8_inputs("QUANTIZE"):
        result = int(op.outputs[0])
        taken, given = graph.tensors[source], graph.tensors[result]
        if wiring.dtype(result) != "int16":
            continue
        if quant.zero_point[0] and not _is_centred(wiring, result):
            like = editing.symmetric(quant)
            op.inputs = [editing.insert_quantize(model, op, source, like)]
            given.quantization = like.quantization
        else:
            given.quantization = editing.int8_tensor(b"", None, quant.scale[0]).quantization
        op.opcodeIndex = editing.opcode_index(model, "CAST", version=3)
        op.builtinOptionsType = schema.BuiltinOptions.CastOptions
        op.builtinOptions = schema.CastOptionsT()
        op.builtinOptions.inDataType, op.builtinOptions.outDataType = taken.type, given.type


def _is_centred(wiring: Wiring, index: int) -> bool:
    """Whether the tensor is for nothing but its mean, and to take that from it."""
    means = [int(op.outputs[0]) for op in wiring.takers(index) if wiring.kind(op) == "MEAN"]
    rest = [op for op in wiring.takers(index) if wiring.kind(op) != "MEAN"]
    return all(
        wiring.kind(op) == "SUB" and int(op.inputs[0]) == index and int(op.inputs[1]) in means
        for op in rest
    )
