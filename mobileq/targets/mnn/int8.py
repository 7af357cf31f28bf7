"""Convolutions in int8, everything else in float: the ranges written into MNN's JSON form.

MNN 3.6.1 runs a convolution in int8 where its weights are int8 and the tensors it takes and gives
are described by a scale and a zero-point. SiLU without a table, concatenations and additions of
such tensors then run in float, and MNN converts in between. Its int8 convolutions, dense and
depthwise, strided and padded, give what exact arithmetic gives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from mobileq.graph.eight_bits import affine
from mobileq.spec import TensorRange
from mobileq.targets.mnn.contents import needless_relus
from mobileq.targets.mnn.contested import contested
from mobileq.targets.mnn.descriptions import (
    Affine,
    before_pooling,
    describe_resized,
    shield_floats,
    to_stay_float,
)
from mobileq.targets.mnn.graph import Convolution, MnnGraph
from mobileq.targets.mnn.weights import PLAIN_INT8, store_of_float, symmetric


def quantize_convolutions(
    graph: MnnGraph,
    ranges: Mapping[str, TensorRange],
    keep_float: Collection[str],
    *,
    repaired: bool = False,
) -> int:
    """Put all convolutions into int8 but those that give a tensor of `keep_float`.

    Those have small weights as well, see `store_of_float`.

    Args:
        ranges: By the ONNX model's tensor names. A convolution stays float where they lack one.
        repaired: See `store_of_float`.

    Returns:
        How many are int8 now.
    """
    pooled = before_pooling(graph)
    described: dict[int, Affine] = {}
    integers, floats = [], []
    for convolution in graph.convolutions:
        taken = _affine(graph.taken_names(convolution), ranges)
        given = _affine(graph.given_names(convolution), ranges)
        kept = any(name in keep_float for name in graph.given_names(convolution))
        barred = not pooled.isdisjoint((convolution.input, convolution.output))
        if kept or barred or taken is None or given is None:
            floats.append(convolution)
            continue
        integers.append(convolution)
        described[convolution.input], described[convolution.output] = taken, given
    describe_resized(graph, described)
    floating = to_stay_float(graph, described)
    floating |= graph.beside_products(integers).difference(described)
    told = {**described, **dict.fromkeys(floating)}
    floating |= contested(graph.ops, told)
    graph.described["extraTensorDescribe"] = [
        *(_entry(index, *affine) for index, affine in sorted(described.items())),
        *(_float_entry(index) for index in sorted(floating)),
    ]
    for convolution in integers:
        _store(convolution, described[convolution.input], described[convolution.output])
    total = sum(convolution.weights.size for convolution in graph.convolutions)
    for convolution in floats:
        store_of_float(convolution, total, repaired=repaired)
    for at in needless_relus(graph.described):
        del graph.ops[at]["main"]["activationType"]
    shield_floats(graph, described, floating, {each.output for each in floats})
    return len(integers)


def _affine(names: Iterable[str], ranges: Mapping[str, TensorRange]) -> Affine | None:
    found = next((ranges[name] for name in names if name in ranges), None)
    if found is None:
        return None
    scale, zero = affine(found)
    return scale, zero - 128


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


def _entry(index: int, scale: float, zero: int) -> dict[str, Any]:
    return {
        "index": index,
        "quantInfo": {
            "scale": scale, "zero": float(zero), "min": -128.0, "max": 127.0, "type": "DT_INT8",
        },
    }  # fmt: skip


def _float_entry(index: int) -> dict[str, Any]:
    return {"index": index, "quantInfo": {"scale": 1.0, "zero": 0.0, "type": "DT_FLOAT"}}
