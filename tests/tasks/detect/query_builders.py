"""A small detector whose head gives a row per query, as RT-DETR's."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto

from tests.graph.builders import ints

from .head_builders import Net, cells


def queries(classes: int = 4) -> ModelProto:
    """A box and class logits for each cell of one stride, as a decoder with queries gives them, and
    as many of the best pairs as there are queries in rows of six (Ultralytics' RT-DETR)."""
    net, count = _picked(classes), cells((32,))
    net.add(
        "whose = Mod(pair, n)",
        "chosen = GatherElements<axis = 1>(boxes, index)",
        "score_column = Unsqueeze(score, last_axis)",
        "number = Cast<to = 1>(whose)",
        "class_column = Unsqueeze(number, last_axis)",
        "output0 = Concat<axis = 2>(chosen, score_column, class_column)",
    )
    names = ", ".join(f"{at}: 'c{at}'" for at in range(classes))
    return net.model(f"float[1,{count},6] output0", {"names": f"{{{names}}}"})


def queries_apart(classes: int = 4, size: tuple[float, float] = (192, 160)) -> ModelProto:
    """The same as labels, boxes and scores, boxes as corners in a size that has become a constant
    (the exports of RT-DETR's and D-FINE's authors)."""
    net, count = _picked(classes), cells((32,))
    net.constant("size", np.array([[[*size, *size]]], np.float32))
    net.constant("half", np.array(0.5, np.float32))
    net.constant("halves", ints(2, 2))
    net.add(
        "whole = Mul(place, n)",
        "labels = Sub(pair, whole)",
        "middle, sides = Split<axis = 2>(boxes, halves)",
        "reach = Mul(sides, half)",
        "low = Sub(middle, reach)",
        "high = Add(middle, reach)",
        "corners = Concat<axis = 2>(low, high)",
        "pixels = Mul(corners, size)",
        "chosen = GatherElements<axis = 1>(pixels, index)",
        "scores = Identity(score)",
    )
    rows = f"int64[1,{count}] labels, float[1,{count},4] chosen, float[1,{count}] scores"
    return net.model(rows)


def _picked(classes: int) -> Net:
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
        "chances = Sigmoid(logits)",
        "pairs = Reshape(chances, flat)",
        "score, pair = TopK<axis = 1>(pairs, k)",
        "place = Div(pair, n)",
        "column = Unsqueeze(place, last_axis)",
        "index = Tile(column, four_times)",
    )
    return net
