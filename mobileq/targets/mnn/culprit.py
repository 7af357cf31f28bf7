"""Which node of a model MNN's converter or its runtime gives up on.

MNN 3.6.1 says nothing, or crashes: the converter writes no file where one operator has no
counterpart, and both die of operators that are used in a way they do not expect. So the model is
cut short, and half of what is left again, until the first node remains with which it fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mobileq.errors import ToolError, UnsupportedOperatorError
from mobileq.graph.open_lengths import refuse_open_lengths

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_LETS_ALL_PASS = 1e-6
_REMEDY = "Export the model without it, cut the graph before it, or use another target."


def refuse_known(model: ModelProto) -> None:
    """Raise UnsupportedOperatorError for what MNN converts without a word, and wrongly."""
    from mobileq.graph.outline import all_nodes, node_label

    refuse_open_lengths(model)
    facts = _Facts(model)
    for node in all_nodes(model):
        fault = _FAULTS.get(node.op_type)
        said = fault(node, facts) if fault else None
        if said:
            raise UnsupportedOperatorError(
                f"MNN {said.format(f'{node.op_type} ({node_label(node)})')}.", _REMEDY
            )


class _Facts:
    """What of a graph makes MNN be wrong about a node."""

    def __init__(self, model: ModelProto) -> None:
        from mobileq.graph.outline import DYNAMIC, dims
        from mobileq.graph.rewrites.rule import Editing

        known = Editing(model)
        self.value, self.rank, self.dtype = known.value, known.rank, known.dtype
        self.makers = {name: node.op_type for node in model.graph.node for name in node.output}
        self.has_open_output = any(DYNAMIC in (dims(value) or ()) for value in model.graph.output)


def _suppression(node: NodeProto, facts: _Facts) -> str | None:
    """MNN 3.6.1 gives the largest number of rows for each class, whatever is found; the missing
    ones are the index -1, which a Gather behind reads as the last box. None is missing where the
    score threshold lets all boxes pass, as in TensorFlow's SSDs, unless there are more rows in the
    file than the model gave in a run."""
    threshold = facts.value(node.input[4]) if len(node.input) > 4 else None
    passes = threshold is not None and float(threshold.reshape(-1)[0]) <= _LETS_ALL_PASS
    if passes and not facts.has_open_output:
        return None
    return "fills up what {} finds with copies of a box"


def _determinant(node: NodeProto, facts: _Facts) -> str | None:
    """MNN 3.6.1 swaps rows to find a pivot, and does not change the sign."""
    return "gives {} with the wrong sign"


def _sampling(node: NodeProto, facts: _Facts) -> str | None:
    """MNN 3.6.1 takes halves to other neighbours, and reflects about other points."""
    from mobileq.graph.outline import attribute

    mode, padding = attribute(node, "mode"), attribute(node, "padding_mode")
    if mode is not None and mode.s == b"nearest":
        return "takes other pixels than the nearest in {}"
    if padding is not None and padding.s == b"reflection":
        return "reflects otherwise in {}"
    return None


def _control_flow(node: NodeProto, facts: _Facts) -> str | None:
    """What MNN 3.6.1 makes of a branch or a loop runs by its Module interface, not in sessions."""
    return "has no branches and loops in its sessions, as {} is"


def _transposed(node: NodeProto, facts: _Facts) -> str | None:
    """MNN 3.6.1 gives a tensor whose last axis is of length 0."""
    return "gives {} over three axes no values" if facts.rank(node.input[0]) == 5 else None


def _ranking(node: NodeProto, facts: _Facts) -> str | None:
    """MNN 3.6.1 gives equal values of several rows in another order, and whole numbers are often
    equal."""
    if facts.dtype(node.input[0]).kind not in "iu" or facts.rank(node.input[0]) == 1:
        return None
    return "orders equal numbers otherwise in {}"


def _difference(node: NodeProto, facts: _Facts) -> str | None:
    """MNN 3.6.1 holds all whole numbers in 32 bits with a sign, from which nothing wraps around."""
    return "goes below zero in {} of uint64" if facts.dtype(node.output[0]) == "uint64" else None


def _narrowed(node: NodeProto, facts: _Facts) -> str | None:
    """As above; bits that are fewer are cut off, these are not."""
    below = facts.makers.get(node.input[0]) in ("Sub", "Neg")
    unsigned = facts.dtype(node.output[0]) in ("uint32", "uint64")
    return "does not wrap what is below zero around in {}" if below and unsigned else None


_FAULTS: dict[str, Callable[[NodeProto, _Facts], str | None]] = {
    "NonMaxSuppression": _suppression,
    "Det": _determinant,
    "GridSample": _sampling,
    "ConvTranspose": _transposed,
    "TopK": _ranking,
    "Sub": _difference,
    "Cast": _narrowed,
    "If": _control_flow,
    "Loop": _control_flow,
    "Scan": _control_flow,
}


def unsupported(
    model: ModelProto, error: ToolError, attempt: Callable[[ModelProto], None]
) -> UnsupportedOperatorError | None:
    """What MNN failed on, where it is one node.

    Args:
        model: In topological order.
        error: How it failed.
        attempt: Converts and runs a model; raises ToolError.
    """
    from mobileq.graph.outline import node_label

    nodes = model.graph.node
    passing, failing, reason = 0, len(nodes), error
    while failing - passing > 1:
        middle = (passing + failing) // 2
        try:
            attempt(_first(model, middle))
            passing = middle
        except ToolError as found:
            failing, reason = middle, found
    if not nodes:
        return None
    node = nodes[failing - 1]
    named = f"{node.op_type} ({node_label(node)}){_taking(model, node)}"
    if "crashed" not in reason.message:
        return UnsupportedOperatorError(f"MNN has no counterpart of {named}.", _REMEDY)
    return UnsupportedOperatorError(f"MNN crashes on {named}.", _REMEDY)


def _taking(model: ModelProto, node: NodeProto) -> str:
    """Types of what it takes, of which it may well depend."""
    from mobileq.graph.outline import dims, dtype_name

    graph = model.graph
    known = {value.name: value for value in (*graph.value_info, *graph.input)}
    told = [
        f"{dtype_name(known[name].type.tensor_type.elem_type)}{list(dims(known[name]) or ())}"
        for name in node.input
        if name in known
    ]
    return f" of {', '.join(told)}" if told else ""


def _first(model: ModelProto, count: int) -> ModelProto:
    """The model's first nodes; whatever no other of them takes comes out."""
    from onnx import ModelProto, ValueInfoProto

    from mobileq.graph.outline import all_nodes

    cut = ModelProto()
    cut.CopyFrom(model)
    graph = cut.graph
    del graph.node[count:]
    taken = {name for node in all_nodes(cut) for name in node.input}
    given = [name for node in graph.node for name in node.output if name and name not in taken]
    known = {value.name: value for value in (*graph.value_info, *graph.output)}
    outputs = [known.get(name, ValueInfoProto(name=name)) for name in given]
    kept = [each for each in graph.initializer if each.name in taken]
    inputs = [each for each in graph.input if each.name in taken]
    for field, values in (
        ("output", outputs), ("initializer", kept), ("input", inputs),
    ):  # fmt: skip
        copies = list(values)
        graph.ClearField(field)
        getattr(graph, field).extend(copies)
    return cut
