"""The body of a Loop or an If, written into the graph around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mobileq.graph.outline import subgraphs

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

    from mobileq.graph.rewrites.rule import Editing


def has_bodies(graph: GraphProto) -> bool:
    """Whether a node of the body has bodies of its own, whose names would have to be followed."""
    return next(subgraphs(graph.node), None) is not None


def write_body(graph: GraphProto, given: Mapping[str, str], edit: Editing) -> list[str]:
    """Add the body's nodes under new names; gives the names of its outputs.

    Args:
        given: {input of the body: the tensor that it is}. Other names that the body does not make
            are of the graph around it.
    """
    from onnx import NodeProto, numpy_helper

    names = dict(given)
    for tensor in graph.initializer:
        names[tensor.name] = edit.constant(numpy_helper.to_array(tensor), hint=tensor.name)
    for node in graph.node:
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [names.get(name, name) for name in node.input]
        names.update({name: edit.fresh(name) for name in node.output if name})
        copy.output[:] = [names[name] if name else "" for name in node.output]
        copy.name = f"{node.op_type}_{next(name for name in copy.output if name)}"
        edit.nodes.append(copy)
    return [names.get(value.name, value.name) for value in graph.output]


def body(node: NodeProto, name: str) -> GraphProto:
    """The body in that attribute."""
    return next(item.g for item in node.attribute if item.name == name)
