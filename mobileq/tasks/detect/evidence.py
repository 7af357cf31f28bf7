"""What a graph reveals about its outputs beyond their shapes.

The tail of a detector, the nodes between its last convolutions and an output, is read backwards:
which pieces the output is put together from, which functions went over each, and which constants
they were multiplied by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mobileq.graph.index import GraphIndex
from mobileq.graph.op_facts import MOVING
from mobileq.graph.outputs import (
    Piece,
    axis_of,
    is_sigmoid,
    last_function,
    pieces_of,
    value_path,
)
from mobileq.tasks.detect.anchors import find_anchors

if TYPE_CHECKING:
    from onnx import NodeProto

_INTEGERS = frozenset({"int32", "int64"})
_MOVING = MOVING | {"Concat", "Cast"}


@dataclass(frozen=True, kw_only=True)
class OutputEvidence:
    """How one output comes about.

    Attributes:
        ops: Op types between it and the last convolutions.
        pieces: Length of an axis -> what it was concatenated from, where that was found.
        softmax_bins: Length of the distance distributions, 0 without.
        takes_top_k: Its values come from TopK: scores.
        takes_ids: Its values were integers: class ids.
        adds_one: 1 is added to them: ids that count from 1.
        starts_squashed: A sigmoid is the last function over its first values: boxes in 0..1.
        takes_mean: A mean of a distribution with constant distances is among its values.
        scaled_by: The four factors that boxes were last multiplied by, empty where there are none.
        are_scores: All of its values are sigmoids, or products of such.
    """

    ops: frozenset[str]
    pieces: Mapping[int, tuple[Piece, ...]] = field(default_factory=dict)
    softmax_bins: int = 0
    takes_top_k: bool = False
    takes_ids: bool = False
    adds_one: bool = False
    starts_squashed: bool = False
    takes_mean: bool = False
    scaled_by: tuple[float, ...] = ()
    are_scores: bool = False

    @property
    def is_bare(self) -> bool:
        """It is what convolutions give."""
        return self.ops <= _MOVING


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Findings about a whole graph.

    `anchors`: stride -> (width, height) in input pixels. `class_count`: from non-maximum
    suppression or from a top-k over all pairs, None where neither is in the graph. `index`: of the
    graph itself.
    """

    outputs: Mapping[str, OutputEvidence] = field(default_factory=dict)
    anchors: Mapping[int, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    class_count: int | None = None
    index: GraphIndex | None = None


def gather_evidence(index: GraphIndex, outputs: Iterable[str], height: int) -> Evidence:
    """Read the tails of the named outputs.

    Args:
        index: Of a graph with static input shapes.
        outputs: Names.
        height: Of the picture, in pixels.
    """
    return Evidence(
        outputs={name: _output_evidence(index, name) for name in outputs},
        anchors=find_anchors(index, height),
        class_count=_class_count(index),
        index=index,
    )


def _output_evidence(index: GraphIndex, name: str) -> OutputEvidence:
    path = list(value_path(index, name))
    nodes = index.nodes_behind(name)
    return OutputEvidence(
        ops=frozenset(node.op_type for node in nodes),
        pieces=pieces_of(index, name),
        softmax_bins=max((_softmax_bins(index, node) for node in nodes), default=0),
        takes_top_k=any(_is_top_k_value(node, tensor) for node, tensor in path),
        takes_ids=index.dtypes.get(name) in _INTEGERS
        or any(
            node.op_type == "Cast" and index.dtypes.get(node.input[0]) in _INTEGERS
            for node, _ in path
        ),
        adds_one=any(_adds_one(index, node) for node, _ in path),
        starts_squashed=last_function(index, name) == "Sigmoid",
        takes_mean=any(index.expectation_weights(node) is not None for node in nodes),
        scaled_by=next((found for node, _ in path if (found := _box_factors(index, node))), ()),
        are_scores=is_sigmoid(index, name, or_product=True),
    )


def _is_top_k_value(node: NodeProto, tensor: str) -> bool:
    return bool(node.op_type == "TopK" and node.output[0] == tensor)


def _adds_one(index: GraphIndex, node: NodeProto) -> bool:
    values = [index.constants[item] for item in node.input if item in index.constants]
    return node.op_type == "Add" and any(value.size == 1 and value.item() == 1 for value in values)


def _box_factors(index: GraphIndex, node: NodeProto) -> tuple[float, ...]:
    if node.op_type != "Mul":
        return ()
    for name in node.input:
        value = index.constants.get(name)
        if value is not None and value.size == 4 and value.shape[-1:] == (4,):
            return tuple(map(float, value.reshape(-1).tolist()))
    return ()


def _softmax_bins(index: GraphIndex, node: NodeProto) -> int:
    """Bins of a distance distribution: the length of the axis a softmax in the tail goes over."""
    if node.op_type != "Softmax":
        return 0
    shape = index.shapes.get(node.input[0], ())
    axis = axis_of(node, -1)
    bins = shape[axis] if -len(shape) <= axis < len(shape) else 0
    return bins if 1 < bins <= 64 else 0


def _class_count(index: GraphIndex) -> int | None:
    """Classes as non-maximum suppression counts them, or the divisor of a flat top-k index.

    NonMaxSuppression reads scores [1, classes, boxes]; with one class there, boxes of different
    classes were moved apart, and an ArgMax over the scores has told each box's class before.
    YOLOv10 and YOLO26 take the best of all anchor-class pairs and recover the class as
    `index % classes`; D-FINE's exports write that without a Mod, and the pairs [1, N, classes] are
    in one row in front of the top-k.
    """
    for node in index.nodes:
        if node.op_type == "NonMaxSuppression":
            shape = index.shapes.get(node.input[1], ())
            if len(shape) == 3 and shape[1] > 0:
                return int(shape[1]) if shape[1] > 1 else _compared_classes(index)
    for node in index.nodes:
        if node.op_type == "Mod" and node.input[1] in index.constants:
            divisor = index.constants[node.input[1]]
            if divisor.size == 1 and divisor.dtype.kind in "iu" and divisor.item() > 0:
                return int(divisor.item())
    return _classes_in_a_row(index)


def _classes_in_a_row(index: GraphIndex) -> int | None:
    """The classes of pairs [1, N, classes] that are in one row in front of a top-k."""
    for node in index.nodes:
        row = index.made_by.get(node.input[0]) if node.op_type == "TopK" else None
        if row is None or row.op_type not in ("Reshape", "Flatten"):
            continue
        pairs, flat = index.shapes.get(row.input[0], ()), index.shapes.get(row.output[0], ())
        if len(pairs) == 3 and pairs[2] > 0 and flat[1:] == (pairs[1] * pairs[2],):
            return pairs[2]
    return None


def _compared_classes(index: GraphIndex) -> int:
    """Length of the longest axis that an ArgMax goes over, at least 1."""
    lengths = [1]
    for node in index.nodes:
        if node.op_type == "ArgMax":
            shape = index.shapes.get(node.input[0], ())
            axis = axis_of(node, 0)
            lengths += [shape[axis]] if -len(shape) <= axis < len(shape) else []
    return max(lengths)
