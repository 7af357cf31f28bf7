"""Loop with a fixed count and no way out: its body, once for each turn.

What a turn carries is what the next one takes; what it scans is stacked along a new first axis
(ONNX operator schema, Loop).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.bodies import body, has_bodies, write_body
from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

_MOST_NODES = 2000
"""Of all turns together."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    turns = edit.value(node.input[0]) if node.input[0] else None
    graph = body(node, "body")
    if turns is None:
        return "its count is known only when it runs"
    count = int(turns.reshape(-1)[0])
    if has_bodies(graph):
        return "there is another If or Loop in it"
    if not 0 < count * len(graph.node) <= _MOST_NODES:
        return "it has no turn, or too many"
    if not _goes_on(node, graph, edit):
        return "it may end before"
    carried, scanned = list(node.input[2:]), list[list[str]]()
    for turn in range(count):
        counter = edit.constant(turn, "int64")
        condition = edit.constant(True, "bool")
        inputs = (value.name for value in graph.input)
        given = dict(zip(inputs, [counter, condition, *carried], strict=True))
        _, *results = write_body(graph, given, edit)
        carried = results[: len(carried)]
        scanned.append([edit.unsqueezed(name, [0]) for name in results[len(carried) :]])
    stacked = [edit.emit("Concat", list(each), axis=0) for each in zip(*scanned, strict=True)]
    for found, name in zip([*carried, *stacked], node.output, strict=True):
        if name:
            edit.emit("Identity", [found], [name])
    return None


def _goes_on(node: NodeProto, graph: GraphProto, edit: Editing) -> bool:
    """Whether the condition is true from the first turn to the last."""
    if node.input[1]:
        first = edit.value(node.input[1])
        if first is None or not first.reshape(-1)[0]:
            return False
    from onnx import numpy_helper

    name, makers = graph.output[0].name, {node.output[0]: node for node in graph.node}
    while name in makers and makers[name].op_type == "Identity":
        name = makers[name].input[0]
    if name == graph.input[1].name:
        return True
    maker = makers.get(name)
    if maker is not None and maker.op_type == "Constant":
        value = next((item.t for item in maker.attribute if item.name == "value"), None)
    else:
        value = next((tensor for tensor in graph.initializer if tensor.name == name), None)
    if value is not None:
        return bool(numpy_helper.to_array(value).reshape(-1)[0])
    outer = edit.value(name)
    return outer is not None and bool(outer.reshape(-1)[0])


RULE = Rule("fixed_loop", frozenset({"Loop"}), _apply)
