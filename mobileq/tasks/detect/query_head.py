"""Where a detector with queries (RT-DETR, D-FINE) can be cut: its boxes and its class logits.

Each query has a box and a logit for each class; behind them the graph picks the best pairs of query
and class (Zhao et al., "DETRs Beat YOLOs on Real-time Object Detection"). Boxes leave the file
where the pairs' are gathered from, or behind their sigmoid: their codes are even parts of the
picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mobileq.graph.frontier import learnt_weights
from mobileq.graph.index import GraphIndex
from mobileq.graph.outline import dims
from mobileq.graph.outputs import value_path
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.tasks.detect.head_roles import NoRawHead

if TYPE_CHECKING:
    from onnx import ModelProto

Ends = tuple[HeadOutput, HeadOutput]
_GATHERS = frozenset({"Gather", "GatherElements", "GatherND"})


def query_heads(model: ModelProto, decode: DecodeSpec) -> Iterator[Ends]:
    """Boxes and class logits by shape, [1, N, 4] and [1, N, C]; of four classes either may be
    which where they are not apart.

    Raises:
        NoRawHead: There are no such two.
    """
    if decode.kind == "ssd":
        yield _behind_picked(model, decode)
        return
    shapes = {value.name: dims(value) for value in model.graph.value_info}
    found = list(_last_sigmoids(model, decode))
    if len(found) != 2:
        raise NoRawHead(f"{len(found)} sigmoids, not two, give its boxes and its scores")
    pairs = 0
    for (_, boxes), (logits, _) in (found, reversed(found)):
        box, score = shapes.get(boxes), shapes.get(logits)
        if box is None or score is None or len(box) != 3 or box[:2] != score[:2]:
            continue
        if box[2] == 4 and score[2] == decode.class_count:
            pairs += 1
            yield (
                HeadOutput(name=boxes, role="boxes"),
                HeadOutput(name=logits, role="class_logits"),
            )
    if not pairs:
        raise NoRawHead("its boxes and scores are no [1, N, 4] and [1, N, classes]")


def _behind_picked(model: ModelProto, decode: DecodeSpec) -> Ends:
    """What the boxes are gathered from, and what the scores' sigmoid takes."""
    index = GraphIndex(model)
    ends: dict[str, str] = {}
    for output in decode.outputs:
        for node, _ in value_path(index, output.name):
            if output.role == "boxes" and node.op_type in _GATHERS:
                ends[output.role] = node.input[0]
                break
            if output.role == "scores" and node.op_type == "Sigmoid":
                ends[output.role] = node.input[0]
                break
    boxes, logits = ends.get("boxes", ""), ends.get("scores", "")
    box, score = index.shapes.get(boxes, ()), index.shapes.get(logits, ())
    if len(box) != 3 or box[2] != 4 or score != (*box[:2], decode.class_count):
        raise NoRawHead("its boxes and scores are not picked from [1, N, 4] and [1, N, classes]")
    return (
        HeadOutput(name=boxes, role="boxes"),
        HeadOutput(name=logits, role="class_logits"),
    )


def _last_sigmoids(model: ModelProto, decode: DecodeSpec) -> Iterator[tuple[str, str]]:
    """What each sigmoid takes and gives that an output is made of, without weights in between."""
    graph = model.graph
    makers = {name: at for at, node in enumerate(graph.node) for name in node.output}
    learnt = learnt_weights(graph)
    waiting = [output.name for output in decode.outputs]
    seen: set[int] = set()
    while waiting:
        at = makers.get(waiting.pop())
        if at is None or at in seen or at in learnt:
            continue
        seen.add(at)
        node = graph.node[at]
        if node.op_type == "Sigmoid":
            yield node.input[0], node.output[0]
        else:
            waiting += node.input
