"""Reductions over axes that come as an input, or over all.

L1 sum |x|, L2 sqrt(sum x^2), log sum, log sum exp = m + log(sum exp(x - m)) of the largest m, sums
of squares (ONNX operator schemas, ReduceL1 18 and others). MNN 3.6.1 reduces over all axes where
they come as an input of these, and over none where a sum or a mean is to be over all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

_COMPOSED = frozenset(
    {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"}
)
_PLAIN = frozenset({"ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"})
_AXES_AS_INPUT = 18
"""The opset from which all but ReduceSum take their axes as an input."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given, rank = attributes(node), edit.rank(node.input[0])
    if rank is None or rank == 0:
        return "the rank is not known"
    axes = edit.ints(node, 1, "axes")
    if axes is None and len(node.input) > 1 and node.input[1]:
        return "its axes are not constant"
    if axes and ("axes" in given or node.op_type in _PLAIN):
        return "MNN knows it"
    everything = not axes and not given.get("noop_with_empty_axes", 0)
    reduced = [*range(rank)] if everything else axes or []
    keep = bool(given.get("keepdims", 1))
    if node.op_type in _COMPOSED:
        _compose(node, edit, reduced, keep)
    else:
        edit.emit("Identity", [_by(edit, node.op_type, node.input[0], reduced, keep)], node.output)
    return None


def _compose(node: NodeProto, edit: Editing, axes: list[int], keep: bool) -> None:
    op, value = node.op_type, node.input[0]
    if op == "ReduceL1":
        found = _by(edit, "ReduceSum", edit.emit("Abs", [value]), axes, keep)
    elif op in ("ReduceL2", "ReduceSumSquare"):
        found = _by(edit, "ReduceSum", edit.emit("Mul", [value, value]), axes, keep)
    elif op == "ReduceLogSum":
        found = _by(edit, "ReduceSum", value, axes, keep)
    else:
        largest = _by(edit, "ReduceMax", value, axes, True)
        powers = edit.emit("Exp", [edit.emit("Sub", [value, largest])])
        total = edit.emit("Log", [_by(edit, "ReduceSum", powers, axes, keep)])
        if not keep and axes:
            largest = edit.squeezed(largest, axes)
        found = edit.emit("Add", [largest, total])
    last = {"ReduceL2": "Sqrt", "ReduceLogSum": "Log"}.get(op, "Identity")
    edit.emit(last, [found], node.output)


def _by(edit: Editing, op: str, name: str, axes: list[int], keep: bool) -> str:
    if not axes:
        return name
    if op == "ReduceSum":
        return edit.summed(name, axes, keep)
    if edit.opset >= _AXES_AS_INPUT:
        return edit.emit(op, [name, edit.constant(axes, "int64")], keepdims=int(keep))
    return edit.emit(op, [name], axes=axes, keepdims=int(keep))


RULE = Rule("reductions", _COMPOSED | _PLAIN, _apply)
