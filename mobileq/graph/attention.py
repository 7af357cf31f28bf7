"""Puts the weights of an attention in front of what they weigh.

Ultralytics writes `values x transpose(softmax(...))`. Integers want the softmax in front: its codes
begin at -128, and TFLite's fast kernels take a second factor whose zero is in the middle only, so
that behind the values half of the codes would be for weights that there are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.outline import attribute, dims, needed_nodes, producers

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


def weights_first(model: ModelProto) -> ModelProto:
    """A copy in which `A x transpose(S)`, S from a softmax, is `transpose(S x transpose(A))`; the
    model itself where there is no softmax.

    Args:
        model: With inferred shapes.
    """
    from onnx import ModelProto, helper

    if not any(node.op_type == "Softmax" for node in model.graph.node):
        return model
    copy = ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    makers = producers(graph)
    ranks = {value.name: len(dims(value) or ()) for value in (*graph.value_info, *graph.input)}
    nodes: list[NodeProto] = []
    for node in graph.node:
        turned = makers.get(node.input[1]) if node.op_type == "MatMul" else None
        swap = _last_two_swapped(turned)
        maker = makers.get(turned.input[0]) if turned is not None else None
        if (
            turned is None or maker is None or maker.op_type != "Softmax"
            or ranks.get(node.input[0]) != len(swap)
        ):  # fmt: skip
            nodes.append(node)
            continue
        (result,) = node.output
        before, product = f"{result}/turned", f"{result}/product"
        nodes += [
            helper.make_node("Transpose", [node.input[0]], [before], before, perm=swap),
            helper.make_node("MatMul", [turned.input[0], before], [product], node.name),
            helper.make_node("Transpose", [product], [result], result, perm=swap),
        ]
    nodes, _ = needed_nodes(nodes, (value.name for value in graph.output))
    del graph.node[:]
    graph.node.extend(nodes)
    return copy


def _last_two_swapped(node: NodeProto | None) -> list[int]:
    """The `perm` of a Transpose that swaps the last two axes only; empty for all else."""
    perm = attribute(node, "perm") if node is not None and node.op_type == "Transpose" else None
    axes = list(perm.ints) if perm is not None else []
    last = len(axes) - 1
    return axes if axes == [*range(last - 1), last, last - 1] else []
