"""Convolutions in int8, everything else in float: the ranges written into MNN's JSON form.

MNN 3.6.1 runs a convolution in int8 where its weights are int8 and the tensors it takes and gives
are described by a scale and a zero-point. SiLU without a table, concatenations and additions of
such tensors then run in float, and MNN converts in between. Its int8 convolutions, dense and
depthwise, strided and padded, give what exact arithmetic gives.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mobileq.spec import TensorRange
from mobileq.targets.mnn.contents import CONVOLUTIONS, pooled_tensors
from mobileq.targets.mnn.graph import Convolution, MnnGraph
from mobileq.targets.mnn.weights import PLAIN_INT8, store_of_float, symmetric

_LEVELS = 255
_ARITHMETIC = (*CONVOLUTIONS, "BinaryOp", "Eltwise", "PReLU", "Scale", "UnaryOp")
"""Ops that have scales of their own. Through all others, MNN 3.6.1 carries the scale of what they
give to what they take, where that has none."""
Affine = tuple[float, int]


def quantize_convolutions(
    graph: MnnGraph, ranges: Mapping[str, TensorRange], keep_float: Collection[str]
) -> int:
    """Put all convolutions into int8 but those that give a tensor of `keep_float`.

    Those have small weights as well, see `store_of_float`.

    Args:
        ranges: By the ONNX model's tensor names. A convolution stays float where they lack one.

    Returns:
        How many are int8 now.
    """
    pooled = pooled_tensors(graph.described)
    described: dict[int, Affine] = {}
    floats = []
    for convolution in graph.convolutions:
        taken = _affine(graph, convolution.input, ranges)
        given = _affine(graph, convolution.output, ranges)
        kept = any(name in keep_float for name in graph.onnx_names(convolution.output))
        barred = not pooled.isdisjoint((convolution.input, convolution.output))
        if kept or barred or taken is None or given is None:
            floats.append(convolution)
            continue
        _store(convolution, taken, given)
        described[convolution.input], described[convolution.output] = taken, given
    entries = [_entry(index, *affine) for index, affine in sorted(described.items())]
    entries += [_float_entry(index) for index in sorted(_propagated(graph, described))]
    graph.described["extraTensorDescribe"] = entries
    reached = _reached(graph, entries)
    total = sum(convolution.weights.size for convolution in graph.convolutions)
    for convolution in floats:
        store_of_float(convolution, total)
        if convolution.output in reached:
            _shield(graph, convolution)
    return len(graph.convolutions) - len(floats)


def _affine(graph: MnnGraph, index: int, ranges: Mapping[str, TensorRange]) -> Affine | None:
    found = next((ranges[name] for name in graph.onnx_names(index) if name in ranges), None)
    if found is None:
        return None
    low, high = min(found.min, 0.0), max(found.max, 0.0)
    scale = max((high - low) / _LEVELS, 1e-9)
    return scale, min(max(round(-128 - low / scale), -128), 127)


def _store(convolution: Convolution, taken: Affine, given: Affine) -> None:
    codes, scales = symmetric(convolution)
    main = convolution.op["main"]
    del main["weight"]
    main["quanParameter"] = {
        "buffer": codes.ravel(),
        "alpha": scales,
        "type": PLAIN_INT8,
        "quantScale": 1.0,
        "scaleIn": taken[0],
        "scaleOut": given[0],
        "aMaxOrBits": 8,
        "readType": 0,
    }
    main["symmetricQuan"] = {
        "nbits": 8,
        "zeroPoint": taken[1],
        "outputZeroPoint": given[1],
        "clampMin": -128,
        "clampMax": 127,
    }


def _propagated(graph: MnnGraph, described: Mapping[int, Affine]) -> set[int]:
    """Tensors to which MNN would carry the scale of a concatenation that takes them.

    Whatever makes them (poolings, resizes) would then run in int8, or wrongly, as MNN 3.6.1 does on
    x86: yolov5n falls from .367 to .266 mAP. Described as float they stay as they are.
    """
    return {
        index
        for op in graph.ops
        if op["type"] == "Concat" and op["outputIndexes"][0] in described
        for index in op["inputIndexes"]
        if index not in described
    }


def _reached(graph: MnnGraph, entries: list[dict[str, Any]]) -> set[int]:
    """Tensors that have an entry, or get one from an op that takes them."""
    reached = {entry["index"] for entry in entries}
    for op in reversed(graph.ops):
        if op["type"] not in _ARITHMETIC and not reached.isdisjoint(op["outputIndexes"]):
            reached.update(op.get("inputIndexes", ()))
    return reached


def _shield(graph: MnnGraph, convolution: Convolution) -> None:
    """Keep what a float convolution gives from being described.

    MNN 3.6.1 takes any convolution with 8-bit or float16 weights for an int8 one where the tensors
    that it takes and gives are described, the latter be it as float: its numbers are wrong then, or
    it crashes. A PReLU of slope 1, after it, changes nothing, and hands no description on.
    """
    inner, outer = len(graph.names), convolution.output
    graph.names.append(f"{graph.names[outer]}/float")
    convolution.op["outputIndexes"] = [inner]
    identity = {
        "type": "PReLU", "name": graph.names[inner], "inputIndexes": [inner],
        "outputIndexes": [outer], "defaultDimentionFormat": "NHWC",
        "main_type": "PRelu", "main": {"slopeCount": 1, "slope": [1.0]},
    }  # fmt: skip
    graph.ops.insert(graph.ops.index(convolution.op) + 1, identity)


def _entry(index: int, scale: float, zero: int) -> dict[str, Any]:
    return {
        "index": index,
        "quantInfo": {
            "scale": scale, "zero": float(zero), "min": -128.0, "max": 127.0, "type": "DT_INT8",
        },
    }  # fmt: skip


def _float_entry(index: int) -> dict[str, Any]:
    return {"index": index, "quantInfo": {"scale": 1.0, "zero": 0.0, "type": "DT_FLOAT"}}
