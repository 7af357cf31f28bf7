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
_INTEGER_TOO = ("BinaryOp", "Eltwise", "PReLU", "Scale")
"""Of these, those that run in int8 where all that they take is codes."""
_RESIZE = "Interp"
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
    pooled = _pooled(graph)
    described: dict[int, Affine] = {}
    integers, floats = [], []
    for convolution in graph.convolutions:
        taken = _affine(graph, convolution.input, ranges)
        given = _affine(graph, convolution.output, ranges)
        kept = any(name in keep_float for name in graph.onnx_names(convolution.output))
        barred = not pooled.isdisjoint((convolution.input, convolution.output))
        if kept or barred or taken is None or given is None:
            floats.append(convolution)
            continue
        integers.append(convolution)
        described[convolution.input], described[convolution.output] = taken, given
    _describe_resized(graph, described)
    floating = _to_stay_float(graph, described)
    graph.described["extraTensorDescribe"] = [
        *(_entry(index, *affine) for index, affine in sorted(described.items())),
        *(_float_entry(index) for index in sorted(floating)),
    ]
    for convolution in integers:
        _store(convolution, described[convolution.input], described[convolution.output])
    total = sum(convolution.weights.size for convolution in graph.convolutions)
    for convolution in floats:
        store_of_float(convolution, total)
    _shield_floats(graph, described, floating, {each.output for each in floats})
    return len(integers)


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


def _pooled(graph: MnnGraph) -> set[int]:
    """Tensors that reach a pooling, be it through a resize."""
    pooled = pooled_tensors(graph.described)
    for op in reversed(graph.ops):
        if op["type"] == _RESIZE and op["outputIndexes"][0] in pooled:
            pooled.add(op["inputIndexes"][0])
    return pooled


def _describe_resized(graph: MnnGraph, described: dict[int, Affine]) -> None:
    """A resize of codes gives codes of the same scale.

    MNN 3.6.1 crashes where what it gives is described as float (PicoDet's neck), and takes no
    notice of another scale.
    """
    for op in graph.ops:
        taken = op.get("inputIndexes", ())
        if op["type"] == _RESIZE and taken[0] in described:
            described[op["outputIndexes"][0]] = described[taken[0]]


def _to_stay_float(graph: MnnGraph, described: Collection[int]) -> set[int]:
    """Tensors that MNN is to be told are float, to which it would carry a scale.

    Whatever makes an input of a concatenation (poolings, resizes) would then run in int8, or
    wrongly, as MNN 3.6.1 does on x86: yolov5n falls from .367 to .266 mAP. A resize before a ReLU
    would lose all below zero before it interpolates.
    """
    behind = _taken_by(graph, described)
    ahead = _made_of(graph, behind)
    found = _pooled(graph)
    for op in graph.ops:
        taken, given = op.get("inputIndexes", ()), op["outputIndexes"][0]
        if op["type"] == "Concat" and given in described:
            found.update(taken)
        elif op["type"] == _RESIZE and (given in behind or taken[0] in ahead):
            found |= {taken[0], given}
    return found.difference(described)


def _taken_by(
    graph: MnnGraph, described: Collection[int], others: Collection[int] = ()
) -> set[int]:
    """With the tensors to which the description of what is made of them is carried, but `others`,
    which have one of their own."""
    reached = set(described)
    for op in reversed(graph.ops):
        if op["type"] not in _ARITHMETIC and not reached.isdisjoint(op["outputIndexes"]):
            reached.update(set(op.get("inputIndexes", ())).difference(others))
    return reached


def _made_of(graph: MnnGraph, described: Collection[int], others: Collection[int] = ()) -> set[int]:
    """With the tensors that are codes because what they are made of is, but `others`."""
    reached = set(described)
    for op in graph.ops:
        if op["type"] not in _ARITHMETIC and not reached.isdisjoint(op.get("inputIndexes", ())):
            reached.update(set(op["outputIndexes"]).difference(others))
    return reached


def _shield_floats(
    graph: MnnGraph, described: Collection[int], floating: Collection[int], floats: Collection[int]
) -> None:
    """Keep from descriptions the ops that would take them amiss.

    - A float convolution, which gives one of `floats`: MNN 3.6.1 takes any with 8-bit or float16
      weights for an int8 one where the tensors that it takes and gives are described, the latter be
      it as float. Its numbers are wrong then, or it crashes.
    - A pooling of what an int8 convolution takes, see `pooled_tensors`.
    - An addition of codes whose sum is described as float: MNN takes the 1.0 there for a scale.
    """
    told_float = _taken_by(graph, floating, described)
    behind = _taken_by(graph, described, floating)
    codes = _made_of(graph, behind, floating)
    for op in list(graph.ops):
        given = op["outputIndexes"][0]
        if (
            (given in floats and given in told_float | behind)
            or (op["type"] == "Pooling" and given in behind)
            or (
                op["type"] in _INTEGER_TOO
                and given in told_float
                and codes.issuperset(op["inputIndexes"])
            )
        ):
            _shield(graph, op)


def _shield(graph: MnnGraph, op: dict[str, Any]) -> None:
    """A PReLU of slope 1, after an op, changes nothing, and hands no description on."""
    inner, outer = len(graph.names), op["outputIndexes"][0]
    graph.names.append(f"{graph.names[outer]}/float")
    op["outputIndexes"] = [inner]
    identity = {
        "type": "PReLU", "name": graph.names[inner], "inputIndexes": [inner],
        "outputIndexes": [outer], "defaultDimentionFormat": "NHWC",
        "main_type": "PRelu", "main": {"slopeCount": 1, "slope": [1.0]},
    }  # fmt: skip
    graph.ops.insert(graph.ops.index(op) + 1, identity)


def _entry(index: int, scale: float, zero: int) -> dict[str, Any]:
    return {
        "index": index,
        "quantInfo": {
            "scale": scale, "zero": float(zero), "min": -128.0, "max": 127.0, "type": "DT_INT8",
        },
    }  # fmt: skip


def _float_entry(index: int) -> dict[str, Any]:
    return {"index": index, "quantInfo": {"scale": 1.0, "zero": 0.0, "type": "DT_FLOAT"}}
