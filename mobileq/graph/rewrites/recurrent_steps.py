"""RNN, GRU and LSTM of a fixed number of steps: every step written out.

The inputs' part of all gates is one product; then each step adds its own of what the last one gave:
RNN h' = f(x W + h R + b); GRU h' = (1 - z) n + z h, gates z, r, n; LSTM c' = f c + i n,
h' = o g(c'), gates i, o, f, n, with peepholes to c (ONNX operator schemas, RNN, GRU and LSTM 22).
LiteRT 2.1.2 can't run what onnx2tf 2.6.9 makes of more than one step of RNN and GRU, and has no
peepholes; MNN 3.6.1 crashes, or gives other shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import NodeProto

    Array = npt.NDArray[Any]

_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_ACTIVATIONS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
_KNOWN = frozenset({"Sigmoid", "Tanh", "Relu"})
_MOST_STEPS = 64


def _apply(node: NodeProto, edit: Editing) -> str | None:
    shape = edit.shape(node.input[0])
    if shape is None:
        return "the shape is not known"
    if node.op_type == "LSTM" and len(node.input) < 8:
        return "converters know it"
    if node.op_type != "LSTM" and shape[0] == 1:
        return "converters know one step"
    return write(node, edit)


def write(node: NodeProto, edit: Editing) -> str | None:
    """Any with constant weights and sequences of the same length."""
    given, shape = attributes(node), edit.shape(node.input[0])
    x, w, r, b, lengths, first, carried, peepholes = [*node.input, *[""] * 5][:8]
    values = [edit.value(name) if name else None for name in (w, r, b, peepholes)]
    if shape is None or edit.dtype(x) != np.float32:
        return "the shape is not known, or it is not of float32"
    if shape[0] > _MOST_STEPS or given.get("layout", 0) or "clip" in given:
        return f"it has more than {_MOST_STEPS} steps, another layout, or it is clipped"
    if any(value is None and name for value, name in zip(values, (w, r, b, peepholes),
                                                         strict=True)):  # fmt: skip
        return "its weights are not constant"
    known = edit.value(lengths) if lengths else None
    if lengths and (known is None or set(known.tolist()) != {shape[0]}):
        return "its sequences are of different lengths"
    named = given.get("activations") or _ACTIVATIONS[node.op_type] * 2
    if not _KNOWN.issuperset(named) or given.get("input_forget", 0):
        return "its activations are others"
    direction = given.get("direction", "forward")
    both = 2 if direction == "bidirectional" else 1
    per = len(_ACTIVATIONS[node.op_type])
    found = []
    for at in range(both):
        weights = [None if value is None else value[at] for value in values]
        cell = _cell(node, edit, weights, named[at * per : (at + 1) * per])
        starts = [_start(edit, name, at) for name in (first, carried)]
        backwards = direction == "reverse" or at == 1
        found.append(_run(edit, cell, x, shape[0], starts, backwards))
    _write_outputs(node, edit, found)
    return None


@dataclass(frozen=True)
class _Cell:
    """One direction's weights. W is [inputs, gates * hidden], R [hidden, gates * hidden]."""

    op: str
    hidden: int
    inputs: Array
    states: Array
    bias: Array
    """Of the inputs' part."""
    state_bias: Array
    peepholes: Array | None
    activations: Sequence[str]
    is_late: bool
    """Whether GRU's reset gate comes behind the product."""


def _cell(
    node: NodeProto, edit: Editing, weights: Sequence[Array | None], activations: Sequence[str]
) -> _Cell:
    w, r, b, peepholes = weights
    assert w is not None
    assert r is not None
    width = len(w)
    if b is None:
        b = np.zeros(2 * width, w.dtype)
    late = bool(attributes(node).get("linear_before_reset", 0))
    return _Cell(
        node.op_type, width // _GATES[node.op_type], w.T, r.T, b[:width], b[width:], peepholes,
        activations, late,
    )  # fmt: skip


def _start(edit: Editing, name: str, direction: int) -> str:
    """[B, hidden] of [directions, B, hidden]; "" is zeros."""
    return edit.emit("Gather", [name, edit.constant(direction, "int64")], axis=0) if name else ""


def _run(
    edit: Editing, cell: _Cell, x: str, steps: int, starts: Sequence[str], backwards: bool
) -> tuple[list[str], str]:
    """(what each step gives, what an LSTM's last one carries on), [B, hidden]."""
    product = edit.emit("MatMul", [x, edit.constant(cell.inputs, "float32")])
    projected = edit.emit("Add", [product, edit.constant(cell.bias, "float32")])
    state, carried = starts
    given = [""] * steps
    for at in range(steps)[::-1] if backwards else range(steps):
        gates = edit.emit("Gather", [projected, edit.constant(at, "int64")], axis=0)
        if cell.op == "LSTM":
            state, carried = _lstm(edit, cell, gates, state, carried)
        else:
            state = (_gru if cell.op == "GRU" else _rnn)(edit, cell, gates, state)
        given[at] = state
    return given, carried


def _rnn(edit: Editing, cell: _Cell, gates: str, state: str) -> str:
    return edit.emit(cell.activations[0], [_plus(edit, gates, _of_state(edit, cell, state))])


def _gru(edit: Editing, cell: _Cell, gates: str, state: str) -> str:
    first, last = cell.activations
    two = 2 * cell.hidden
    opened = edit.emit(first, [_plus(edit, _part(edit, gates, 0, two),
                                     _of_state(edit, cell, state, 0, two))])  # fmt: skip
    update, reset = (_part(edit, opened, at * cell.hidden, (at + 1) * cell.hidden) for at in (0, 1))
    if cell.is_late:
        old = edit.emit("Mul", [reset, _of_state(edit, cell, state, two)])
    else:
        kept = edit.emit("Mul", [reset, state]) if state else ""
        old = _of_state(edit, cell, kept, two)
    new = edit.emit(last, [_plus(edit, _part(edit, gates, two, 3 * cell.hidden), old)])
    rest = edit.emit("Sub", [edit.constant(1.0, "float32"), update])
    taken = edit.emit("Mul", [rest, new])
    return edit.emit("Add", [taken, edit.emit("Mul", [update, state])]) if state else taken


def _lstm(edit: Editing, cell: _Cell, gates: str, state: str, carried: str) -> tuple[str, str]:
    opening, entering, leaving = cell.activations
    gates = _plus(edit, gates, _of_state(edit, cell, state))
    size = cell.hidden
    taken, given, kept, new = (_part(edit, gates, at * size, (at + 1) * size) for at in range(4))
    if cell.peepholes is not None and carried:
        taken = _plus(edit, taken, _peep(edit, cell, 0, carried))
        kept = _plus(edit, kept, _peep(edit, cell, 2, carried))
    entered = edit.emit("Mul", [edit.emit(opening, [taken]), edit.emit(entering, [new])])
    if carried:
        carried = edit.emit("Add", [edit.emit("Mul", [edit.emit(opening, [kept]), carried]),
                                    entered])  # fmt: skip
    else:
        carried = entered
    if cell.peepholes is not None:
        given = _plus(edit, given, _peep(edit, cell, 1, carried))
    return edit.emit("Mul", [edit.emit(opening, [given]), edit.emit(leaving, [carried])]), carried


def _peep(edit: Editing, cell: _Cell, gate: int, carried: str) -> str:
    assert cell.peepholes is not None
    weights = cell.peepholes[gate * cell.hidden : (gate + 1) * cell.hidden]
    return edit.emit("Mul", [carried, edit.constant(weights, "float32")])


def _of_state(
    edit: Editing, cell: _Cell, state: str, start: int = 0, stop: int | None = None
) -> str:
    """state R + b of some columns; the first step of zeros has the bias only."""
    bias = edit.constant(cell.state_bias[start:stop], "float32")
    if not state:
        return bias
    weights = edit.constant(cell.states[:, start:stop], "float32")
    return edit.emit("Add", [edit.emit("MatMul", [state, weights]), bias])


def _part(edit: Editing, gates: str, start: int, stop: int) -> str:
    return edit.sliced(gates, 1, start, stop)


def _plus(edit: Editing, *names: str) -> str:
    return reduce(lambda one, other: edit.emit("Add", [one, other]), names)


def _write_outputs(node: NodeProto, edit: Editing, found: Sequence[tuple[list[str], str]]) -> None:
    """Y [T, directions, B, hidden], Y_h and Y_c [directions, B, hidden]."""
    whole, last, carried = [*node.output, "", ""][:3]
    backwards = attributes(node).get("direction", "forward") == "reverse"
    if whole:
        sides = []
        for steps, _ in found:
            rows = [edit.unsqueezed(step, [0, 1]) for step in steps]
            sides.append(edit.emit("Concat", rows, axis=0))
        edit.emit("Concat", sides, [whole], axis=1)
    ends = [steps[0] if backwards or at == 1 else steps[-1] for at, (steps, _) in enumerate(found)]
    for name, states in ((last, ends), (carried, [each for _, each in found])):
        if name:
            edit.emit("Concat", [edit.unsqueezed(each, [0]) for each in states], [name], axis=0)


RULE = Rule("recurrent_steps", frozenset(_GATES), _apply)
