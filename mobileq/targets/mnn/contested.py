"""Tensors whose description in MNN would depend on where the process keeps them in memory.

MNN 3.6.1 (`Pipeline::encode`) carries the description of what is made of a tensor to the tensor,
where that has none. Of several that differ, the last one stays, in an order of memory addresses:
the two halves of a split, each taken by an int8 convolution, were rounded in one process and not in
another, and the scores of yolov8n changed by .004 with the length of an environment variable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

_JOINS = ("Concat", "Pack")
_MOVES = (
    *_JOINS, "BatchToSpaceND", "BroadcastTo", "ConvertTensor", "Crop", "DepthToSpace", "ExpandDims",
    "Flatten", "Gather", "GatherV2", "Identity", "Padding", "Permute", "Reshape", "Slice",
    "SpaceToBatchND", "SpaceToDepth", "Squeeze", "StridedSlice", "Tile", "Transpose", "Unpack",
    "Unsqueeze",
)  # fmt: skip
"""Ops of which MNN makes one copy each time that another kind of op takes what they give, straight
from where the values come from: what lies between hands nothing on and stops nothing."""
_KEEPS = ("CropAndResize", "Interp", "Pooling", "ROIPooling", "ReLU", "ReLU6")
"""Ops that compute, and have the scale of what they take."""
_Op = Mapping[str, Any]
_Description = tuple[float, int] | None
"""Scale and zero-point; None: float."""


def contested(ops: Sequence[_Op], described: Mapping[int, _Description]) -> set[int]:
    """Tensors that have no description, and would get one of several. Float is right for all.

    What an op hands on to the tensor that it gives wins over what is handed back to it, at any
    address.

    Args:
        ops: Of the graph in MNN's JSON form, each after those that it takes from.
    """
    settled = _settled(ops, described)
    # By tensor: what ops that compute hand back to it, and what copies of it do.
    direct: dict[int, set[_Description]] = defaultdict(set)
    through: dict[int, set[_Description]] = defaultdict(set)
    found: set[int] = set()

    def descriptions(index: int, handed: set[_Description]) -> set[_Description]:
        """Those that a tensor may have: float alone where it is contested."""
        if index in described:
            return {described[index]}
        if len(handed) < 2 or index in settled:
            return handed
        found.add(index)
        return {None}

    for op in reversed(ops):
        moves = op["type"] in _MOVES
        for given in op["outputIndexes"]:
            if moves:
                handed = descriptions(given, direct[given]) | through[given]
            else:
                handed = descriptions(given, direct[given] | through[given])
            if moves or op["type"] in _KEEPS:
                for taken in _values(op):
                    (through if moves else direct)[taken] |= handed
    return found


def _settled(ops: Sequence[_Op], described: Mapping[int, _Description]) -> set[int]:
    """Tensors that get the description of the one tensor that they are made of."""
    sources: dict[int, set[int]] = {}
    joined: set[int] = set()
    settled: set[int] = set()
    for op in ops:
        if op["type"] not in (*_MOVES, *_KEEPS):
            continue
        made_of = {s for taken in _values(op) for s in sources.get(taken, {taken})}
        if len(made_of) > 1:
            joined |= made_of.difference(described)
        for given in op["outputIndexes"]:
            if op["type"] in _MOVES:
                sources[given] = made_of
            if len(made_of) == 1 and (made_of <= described.keys() or made_of <= settled - joined):
                settled.add(given)
    return settled


def _values(op: _Op) -> list[int]:
    """What an op takes but sizes and places."""
    taken: list[int] = list(op.get("inputIndexes", ()))
    return taken if op["type"] in _JOINS else taken[:1]
