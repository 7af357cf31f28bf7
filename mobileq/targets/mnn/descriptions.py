"""Which tensors MNN must be told of, so that none between int8 convolutions is taken amiss.

A tensor in MNN's JSON form may be described by a scale and a zero-point (it holds codes), or as
float. Where it is neither, MNN 3.6.1 carries the description of what is made of it to it, or goes
on with the codes that it is made of, and not all of its ops do right with what they then get.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mobileq.targets.mnn import contents
from mobileq.targets.mnn.graph import SCALED, MnnGraph

_INTEGER_TOO = ("BinaryOp", "Eltwise", "PReLU", "Scale")
"""Of those with scales of their own, these run in int8 where all that they take is codes."""
_RESIZE = "Interp"
_GLOBAL_POOLING = "Pooling3D"
Affine = tuple[float, int]
"""Scale and zero-point."""


def before_pooling(graph: MnnGraph) -> set[int]:
    """Tensors that reach a pooling, be it through a resize."""
    pooled = contents.pooled_tensors(graph.described)
    for op in reversed(graph.ops):
        if op["type"] == _RESIZE and op["outputIndexes"][0] in pooled:
            pooled.add(op["inputIndexes"][0])
    return pooled


def describe_resized(graph: MnnGraph, described: dict[int, Affine]) -> None:
    """A resize of codes gives codes of the same scale.

    MNN 3.6.1 crashes where what it gives is described as float (PicoDet's neck), and takes no
    notice of another scale.
    """
    for op in graph.ops:
        taken = op.get("inputIndexes", ())
        if op["type"] == _RESIZE and taken[0] in described:
            described[op["outputIndexes"][0]] = described[taken[0]]


def to_stay_float(graph: MnnGraph, described: Collection[int]) -> set[int]:
    """Tensors that MNN is to be told are float, to which it would carry a scale.

    Whatever makes an input of a concatenation (poolings, resizes) would then run in int8, or
    wrongly, as MNN 3.6.1 does on x86: yolov5n falls from .367 to .266 mAP. A resize before a ReLU
    would lose all below zero before it interpolates.
    """
    behind = _taken_by(graph, described)
    ahead = _made_of(graph, behind)
    found = before_pooling(graph)
    for op in graph.ops:
        taken, given = op.get("inputIndexes", ()), op["outputIndexes"][0]
        if op["type"] == "Concat" and given in described:
            found.update(taken)
        elif op["type"] == _RESIZE and (given in behind or taken[0] in ahead):
            found |= {taken[0], given}
        elif op["type"] == _GLOBAL_POOLING and taken[0] in ahead:
            found.add(given)
    return found.difference(described)


def _taken_by(
    graph: MnnGraph, described: Collection[int], others: Collection[int] = ()
) -> set[int]:
    """With the tensors to which the description of what is made of them is carried, but `others`,
    which have one of their own."""
    reached = set(described)
    for op in reversed(graph.ops):
        if op["type"] not in SCALED and not reached.isdisjoint(op["outputIndexes"]):
            reached.update(set(op.get("inputIndexes", ())).difference(others))
    return reached


def _made_of(graph: MnnGraph, described: Collection[int], others: Collection[int] = ()) -> set[int]:
    """With the tensors that are codes because what they are made of is, but `others`."""
    reached = set(described)
    for op in graph.ops:
        if op["type"] not in SCALED and not reached.isdisjoint(op.get("inputIndexes", ())):
            reached.update(set(op["outputIndexes"]).difference(others))
    return reached


def shield_floats(
    graph: MnnGraph,
    described: Mapping[int, Affine],
    floating: Collection[int],
    floats: Collection[int],
) -> None:
    """Keep from descriptions the ops that would take them amiss.

    - A float convolution, which gives one of `floats`: MNN 3.6.1 takes any with 8-bit or float16
      weights for an int8 one where the tensors that it takes and gives are described, the latter be
      it as float. Its numbers are wrong then, or it crashes.
    - A pooling of what an int8 convolution takes, see `contents.pooled_tensors`.
    - An addition of codes whose sum is described as float: MNN takes the 1.0 there for a scale.
    - One with a ReLU that `contents.needless_relus` does not name, unless it cuts off at code 0.
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
            or (
                given in behind
                and contents.cuts_codes(op, codes)
                and described.get(given, (0, 1))[1]
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
