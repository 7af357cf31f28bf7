"""Where a file's weights are, and what lies behind the last of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mobileq.targets.tflite.contents import op_name, tensor_name
from mobileq.targets.tflite.op_facts import WEIGHTY

_FEWEST_WEIGHTS = 64
"""A convolution with fewer weights is arithmetic in disguise: a DFL's sum over 16 bins."""


def tail_tensors(model: Any) -> tuple[str, ...]:
    """Output tensors of the ops that follow the last weighty ops: a detector's decoding.

    An op belongs to the tail where a weighty op comes before it and none after it.
    """
    graph = model.subgraphs[0]
    ops = graph.operators
    weighty = {at for at, op in enumerate(ops) if _is_weighty(model, graph, op)}
    after = _reached(ops, weighty, forward=True)
    before = _reached(ops, weighty, forward=False)
    return tuple(
        tensor_name(graph.tensors[index])
        for at, op in enumerate(ops)
        if at in after and at not in before and at not in weighty
        for index in op.outputs
    )


def weighty_outputs(model: Any, enough: Callable[[int], int]) -> set[str]:
    """Output tensors of the ops with at least as many weights as is `enough`, told those of all."""
    graph = model.subgraphs[0]
    counts = {
        tensor_name(graph.tensors[int(op.outputs[0])]): _weight_count(graph, op)
        for op in graph.operators
        if _is_weighty(model, graph, op)
    }
    least = enough(sum(counts.values()))
    return {name for name, count in counts.items() if count >= least}


def _weight_count(graph: Any, op: Any) -> int:
    return math.prod(map(int, graph.tensors[int(op.inputs[1])].shape))


def _is_weighty(model: Any, graph: Any, op: Any) -> bool:
    if op_name(model, op) not in WEIGHTY:
        return False
    if len(op.inputs) < 2 or op.inputs[1] < 0:
        return False
    if graph.tensors[op.inputs[1]].shape is None:
        return False
    return _weight_count(graph, op) >= _FEWEST_WEIGHTS


def _reached(ops: Any, start: set[int], forward: bool) -> set[int]:
    """Ops that lie behind (or before) the `start` ops, by the tensors that connect them."""
    reached: set[int] = set()
    live: set[int] = set()
    # Ops stand in the order they run, so one sweep is enough.
    for at in range(len(ops)) if forward else reversed(range(len(ops))):
        takes, gives = (ops[at].inputs, ops[at].outputs)[:: 1 if forward else -1]
        if live.intersection(int(index) for index in takes):
            reached.add(at)
        if at in reached or at in start:
            live.update(int(index) for index in gives)
    return reached
