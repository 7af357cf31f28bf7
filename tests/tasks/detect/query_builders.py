"""A small detector whose head gives a row per query, as RT-DETR's."""

from __future__ import annotations

from onnx import ModelProto

from tests.graph.builders import ints

from .head_builders import Net, cells


def queries(classes: int = 4) -> ModelProto:
    """A box and class logits for each cell of one stride, as a decoder with queries gives them, and
    as many of the best pairs as there are queries (RT-DETR)."""
    net = Net((32,))
    count = cells((32,))
    net.conv("box", "feature32", 4)
    net.conv("class", "feature32", classes)
    for name, value in {
        "rows_of_four": ints(1, 4, count),
        "rows_of_classes": ints(1, classes, count),
        "k": ints(count),
        "flat": ints(1, -1),
        "n": ints(classes)[0].reshape(()),
        "last_axis": ints(2),
        "four_times": ints(1, 1, 4),
    }.items():
        net.constant(name, value)
    net.add(
        "box_rows = Reshape(box, rows_of_four)",
        "box_logits = Transpose<perm = [0, 2, 1]>(box_rows)",
        "class_rows = Reshape(class, rows_of_classes)",
        "logits = Transpose<perm = [0, 2, 1]>(class_rows)",
        "boxes = Sigmoid(box_logits)",
        "scores = Sigmoid(logits)",
        "pairs = Reshape(scores, flat)",
        "score, pair = TopK<axis = 1>(pairs, k)",
        "place = Div(pair, n)",
        "whose = Mod(pair, n)",
        "column = Unsqueeze(place, last_axis)",
        "index = Tile(column, four_times)",
        "chosen = GatherElements<axis = 1>(boxes, index)",
        "score_column = Unsqueeze(score, last_axis)",
        "number = Cast<to = 1>(whose)",
        "class_column = Unsqueeze(number, last_axis)",
        "output0 = Concat<axis = 2>(chosen, score_column, class_column)",
    )
    names = ", ".join(f"{at}: 'c{at}'" for at in range(classes))
    return net.model(f"float[1,{count},6] output0", {"names": f"{{{names}}}"})
