"""The ops of a float ONNX graph whose precision is decided one by one.

An op that only selects or moves values (Reshape, MaxPool, Slice ...) adds no error of its own: it
belongs to no group and is integer wherever its neighbours are. A convolution and the activation
function that alone takes its output are one group: one in float without the other would round the
values between them for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from mobileq.graph.frontier import behind_weights, learnt_weights
from mobileq.graph.op_facts import ACTIVATIONS, MOVING, Fact, ops_with

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

GroupKind = Literal["convolution", "activation", "arithmetic"]
GROUP_KINDS: Final[tuple[GroupKind, ...]] = get_args(GroupKind)

_TRANSPARENT = MOVING | ops_with(Fact.PADS)
"""Not Resize, which only moves values where it takes the nearest: it is judged like arithmetic,
in any mode."""


@dataclass(frozen=True)
class OpGroup:
    """Nodes that are quantized together.

    `name` is the name of the tensor that the group gives; `tensors` are all that its nodes give, in
    order; `inputs` the activations it takes; `weights` the name of its constant weights, if any,
    and `weight_count` their number.
    """

    name: str
    kind: GroupKind
    op_type: str
    nodes: tuple[int, ...]
    tensors: tuple[str, ...]
    inputs: tuple[str, ...]
    weights: str | None = None
    weight_count: int = 0


def find_groups(model: ModelProto) -> tuple[OpGroup, ...]:
    """The groups of a prepared model, in the order they run, up to the last weighty ops.

    What follows the last convolutions (a head's decoding) is never quantized: pixel boxes and
    scores have no common scale.
    """
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {n.output[0] for n in graph.node if n.op_type == "Constant"}
    learnt = learnt_weights(graph)
    tail = behind_weights(graph)
    users = _users(graph)
    groups: list[tuple[int, ...]] = []
    taken: set[int] = set()
    for at, node in enumerate(graph.node):
        if at in tail or at in taken or node.op_type in _TRANSPARENT:
            continue
        if not _takes_activation(node, constants):
            continue
        nodes = _fused(graph, at, users)
        taken.update(nodes)
        groups.append(nodes)
    outputs = {output.name for output in graph.output}
    return tuple(
        _group(graph, nodes, constants, learnt)
        for nodes in _with_activations(graph, groups, learnt, users, outputs)
    )


def touched_tensors(model: ModelProto, groups: Iterable[OpGroup]) -> dict[str, tuple[str, ...]]:
    """{group name: the tensors that pass between groups and that it takes or gives}

    Instead of what an op that only moves values gives, the tensor that the values come from.
    """
    source: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type in _TRANSPARENT and node.input:
            taken = source.get(node.input[0], node.input[0])
            source.update((name, taken) for name in node.output)
    return {
        group.name: tuple(
            dict.fromkeys(source.get(name, name) for name in (*group.inputs, group.name))
        )
        for group in groups
    }


def _users(graph: GraphProto) -> dict[str, list[int]]:
    users: dict[str, list[int]] = {}
    for at, node in enumerate(graph.node):
        for name in node.input:
            users.setdefault(name, []).append(at)
    return users


def _takes_activation(node: NodeProto, constants: set[str]) -> bool:
    return node.op_type != "Constant" and any(name and name not in constants for name in node.input)


def _fused(graph: GraphProto, at: int, users: dict[str, list[int]]) -> tuple[int, ...]:
    """`at`, and the multiplication that makes SiLU of a sigmoid."""
    node = graph.node[at]
    if node.op_type not in ("Sigmoid", "HardSigmoid"):
        return (at,)
    following = users.get(node.output[0], [])
    if len(following) != 1 or graph.node[following[0]].op_type != "Mul":
        return (at,)
    if node.input[0] not in graph.node[following[0]].input:
        return (at,)
    return (at, following[0])


def _with_activations(
    graph: GraphProto,
    groups: list[tuple[int, ...]],
    learnt: Collection[int],
    users: dict[str, list[int]],
    outputs: set[str],
) -> list[tuple[int, ...]]:
    """Each convolution joined with the activation that is all its output is for."""
    activations = {nodes[0]: nodes for nodes in groups if _is_activation(graph, nodes)}
    joined: dict[int, tuple[int, ...]] = {}
    for nodes in groups:
        given = graph.node[nodes[-1]].output[0]
        following = sorted(set(users.get(given, ())))
        if nodes[0] not in learnt or given in outputs or not following:
            continue
        activation = activations.get(following[0])
        if activation and set(following) <= set(activation):
            joined[nodes[0]] = (*nodes, *activation)
    absorbed = {at for nodes in joined.values() for at in nodes[1:]}
    return [joined.get(nodes[0], nodes) for nodes in groups if nodes[0] not in absorbed]


def _is_activation(graph: GraphProto, nodes: tuple[int, ...]) -> bool:
    return graph.node[nodes[0]].op_type in ACTIVATIONS


def _group(
    graph: GraphProto, nodes: tuple[int, ...], constants: set[str], learnt: Mapping[int, str]
) -> OpGroup:
    members = [graph.node[at] for at in nodes]
    given = [name for node in members for name in node.output]
    taken = [
        name
        for node in members
        for name in node.input
        if name and name not in constants and name not in given
    ]
    first = members[0]
    weights = learnt.get(nodes[0])
    sizes = [math.prod(tensor.dims) for tensor in graph.initializer if tensor.name == weights]
    kind: GroupKind = "arithmetic"
    if weights:
        kind = "convolution"
    elif first.op_type in ACTIVATIONS:
        kind = "activation"
    return OpGroup(
        name=members[-1].output[0],
        kind=kind,
        op_type=" + ".join(_op_types(members)),
        nodes=nodes,
        tensors=tuple(given),
        inputs=tuple(dict.fromkeys(taken)),
        weights=weights,
        weight_count=sum(sizes),
    )


def _op_types(members: list[NodeProto]) -> list[str]:
    """x * sigmoid(x) is what everyone calls SiLU (or HardSwish)."""
    types = [node.op_type for node in members]
    for gate, name in (("Sigmoid", "SiLU"), ("HardSigmoid", "HardSwish")):
        if types[-2:] == [gate, "Mul"]:
            return [*types[:-2], name]
    return types
