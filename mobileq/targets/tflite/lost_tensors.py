"""Tensors that onnx2tf takes and forgot to make.

Where convolutions and other ops take the same tensor, onnx2tf 2.6.9 keeps it with channels last and
drops the transposed copy, which the others still name: the file loads, and "lacks data" when it is
run. Seen behind batch normalizations beside convolutions (FastViT, RepVGG and MobileOne before
their branches are merged).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mobileq.targets.tflite import contents, editing
from mobileq.targets.tflite.layout import Order, fitting_orders, inverse

_CHANNELS_LAST: Order = (0, 2, 3, 1)


def restore_lost(model: Any, report: Path) -> bool:
    """Make each such tensor of its transposed copy, by a TRANSPOSE behind the op that gives it.

    Args:
        model: The float file (a schema `ModelT`).
        report: onnx2tf's, which says under what name it kept a tensor.

    Returns:
        Whether there was any. What has no copy stays lost.
    """
    graph = model.subgraphs[0]
    lost = _lost(model, graph)
    if not lost:
        return False
    makers = {int(index): op for op in graph.operators for index in op.outputs}
    by_name = {contents.tensor_name(graph.tensors[index]): index for index in makers}
    restored = False
    for record in json.loads(report.read_text())["records"]:
        index = lost.get(record["onnx_output_name"])
        # Where it ends with the name of the lost one, the copy has one that it had before.
        names = reversed(record.get("rewrite_name_chain") or ())
        source = next((by_name[name] for name in names if name in by_name), None)
        if index is None or source is None:
            continue
        order = _order(graph.tensors[index], graph.tensors[source])
        if order:
            editing.insert_transpose(model, makers[source], source, index, inverse(order))
            restored = True
    return restored


def _lost(model: Any, graph: Any) -> dict[str, int]:
    """{name: index} of what ops take, and nothing gives."""
    given = contents.activation_indices(model)
    taken = {int(index) for op in graph.operators for index in op.inputs if int(index) >= 0}
    return {
        contents.tensor_name(graph.tensors[index]): index
        for index in taken - given
        if not contents.has_data(model, graph.tensors[index])
    }


def _order(lost: Any, kept: Any) -> Order | None:
    shapes = [tuple(int(each) for each in tensor.shape) for tensor in (lost, kept)]
    orders = fitting_orders(*shapes)
    return _CHANNELS_LAST if _CHANNELS_LAST in orders else next(iter(orders), None)
