"""The way back through a graph: the gradients of its tensors, as a graph.

Reverse-mode differentiation: with L = sum over the outputs of seed x output, the gradient dL / dt
of a tensor is the sum of what each of its readers gives back (Griewank and Walther, Evaluating
Derivatives, 2008). What computes it is a model of its own, which is run behind the first: seeds may
follow from what that gave. Of weights no gradients are taken.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobileq.errors import InputError, UsageError
from mobileq.graph.outline import opset, reads
from mobileq.graph.prune import prune
from mobileq.graph.rewrites.engine import apply_rules
from mobileq.graph.rewrites.grid_sample import write
from mobileq.graph.rewrites.opset import OLDEST, raised
from mobileq.graph.rewrites.rule import Editing, Rule
from mobileq.graph.shapes import infer_shapes

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

    from mobileq.graph.gradients import Found, Tape

_FLOAT, _INT64 = 1, 7
_FLOATS = frozenset({1, 10, 11, 16})
"""`TensorProto.DataType`: float32, float16, float64 and bfloat16."""


def _as_gathers(node: NodeProto, edit: Editing) -> str | None:
    """A GridSample as the gathers of the pixels about each place, and their weights, which all have
    rules. Which pixels these are is an integer, that no gradient goes through."""
    start = len(edit.nodes)
    reason = write(node, edit)
    made = edit.nodes[start:]
    del edit.nodes[start:]
    for each in made:
        result = each.output[0]
        whole = each.op_type == "Floor"
        edit.nodes.append(each)
        if whole:
            each.output[0] = edit.fresh("pixel")
            number = edit.emit("Cast", [each.output[0]], to=_INT64)
            edit.emit("Cast", [number], [result], to=_FLOAT)
    return reason


_GATHERED = Rule("gathered", frozenset({"GridSample"}), _as_gathers)


@dataclass(frozen=True)
class Backward:
    """A model's way there and back.

    Attributes:
        there: The model, which also gives the tensors that were asked for and those that `back`
            takes, but for its own inputs.
        back: Takes the seeds and, under their names, tensors of the way there; gives the gradients.
        seeds: Output of the model -> the input that takes dL / d output, in its shape and type.
            Outputs that are no floating-point numbers have none.
        gradients: Tensor -> the output that is dL / d tensor, in its shape and type. Two tensors
            may share one.
        stopped: Tensor whose gradient is not known, or not all of it -> the op type that has no
            rule and stands between it and an output. Where only integers follow from a tensor, the
            op that gives them; "" where nothing reads it.
    """

    there: ModelProto
    back: ModelProto
    seeds: dict[str, str]
    gradients: dict[str, str]
    stopped: dict[str, str]


def backward(model: ModelProto, tensors: Collection[str]) -> Backward:
    """The gradients of `tensors`, each summed over all its readers.

    A gradient is given only where every way from the tensor to an output of the model is through
    operators with rules (`mobileq.graph.gradients`). Ways through integers carry none.

    Args:
        model: Of float32, with static input shapes.
        tensors: Floating-point tensors that the model takes or its nodes give.

    Raises:
        UsageError: The model has no such tensor.
        InputError: Its operators are too old.
    """
    from mobileq.graph.gradients import Tape

    model = raised(model)
    if opset(model) < OLDEST:
        raise InputError(
            f"The model's opset {opset(model)} is too old for gradients.",
            f"Export it with opset {OLDEST} or newer.",
        )
    model = infer_shapes(model)  # a copy: it becomes the way there
    model = apply_rules(model, [_GATHERED])
    tape = Tape(model, tensors)
    made_by = tape.makers
    for name in tensors:
        if name not in made_by and all(name != value.name for value in model.graph.input):
            raise UsageError(
                f"No node of the model makes a tensor '{name}'.",
                "Give the names of tensors between the input and the outputs.",
            )
    seeds = {
        value.name: tape.fresh("seed")
        for value in model.graph.output
        if value.type.tensor_type.elem_type in _FLOATS
    }
    way = _Way(model, tape, tensors)
    for output, seed in seeds.items():
        way.give(output, seed)
    for node in reversed(model.graph.node):
        way.back(node)
    gradients = {}
    for name in tensors:
        gradient = way.gradient(name)
        if gradient is not None:
            is_input = gradient in seeds.values()  # which no output may be
            gradients[name] = tape.emit("Identity", [gradient]) if is_input else gradient
    stopped = {name: way.stopped_by(name) for name in tensors if name not in gradients}
    back = _back(model, tape, seeds, gradients)
    return Backward(_there(model, back, tensors), back, seeds, gradients, stopped)


class _Way:
    """The gradients that are known so far, from the outputs on."""

    def __init__(self, model: ModelProto, tape: Tape, tensors: Collection[str]) -> None:
        self._tape = tape
        self._parts: dict[str, list[str]] = {}
        self._stopped: dict[str, str] = {}
        self._idle: dict[str, str] = {}
        self._needed = set(tensors)
        for node in model.graph.node:
            if not self._needed.isdisjoint(reads(node)):
                self._needed.update(name for name in node.output if name)

    def give(self, name: str, gradient: str) -> None:
        """One more part of a tensor's gradient."""
        if name in self._needed:
            self._parts.setdefault(name, []).append(gradient)

    def gradient(self, name: str) -> str | None:
        """The sum of its parts, where all are known; all its readers were passed."""
        parts = self._parts.get(name)
        if parts is None or name in self._stopped:
            return None
        if len(parts) > 1:
            parts[:] = [self._tape.emit("Sum", parts)]
        return parts[0]

    def stopped_by(self, name: str) -> str:
        """The op type between the tensor and the outputs that has no rule."""
        return self._stopped.get(name) or self._idle.get(name, "")

    def back(self, node: NodeProto) -> None:
        """From the gradients of what a node gives to those of what it takes."""
        wanted = {name for name in reads(node) if self._is_wanted(name)}
        live = [name for name in node.output if name in self._parts or name in self._stopped]
        if not live:
            idle = next((self._idle[name] for name in node.output if name in self._idle), "")
            self._idle.update(dict.fromkeys(wanted, idle or node.op_type))
        if not wanted or not live:
            return
        why = next((self._stopped[name] for name in live if name in self._stopped), None)
        found = None if why is not None else self._found(node, wanted)
        for name in wanted if found is None else ():
            self._stopped.setdefault(name, why or node.op_type)
        for at, gradient in found.items() if found is not None else ():
            if gradient is not None:
                self.give(node.input[at], gradient)

    def _is_wanted(self, name: str) -> bool:
        return name in self._needed and self._tape.elem_type(name) in _FLOATS

    def _found(self, node: NodeProto, wanted: set[str]) -> Found | None:
        """{position of an input: its gradient}; None where there is no rule, or it refuses."""
        from mobileq.graph.gradients import RULES, Refused, Step

        rule = RULES.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if rule is None:
            return None
        positions = [at for at, name in enumerate(node.input) if name in wanted]
        given = tuple(self.gradient(name) for name in node.output)
        try:
            found = rule(Step(node, self._tape, given, positions))
        except Refused:
            return None
        return found if set(positions) <= set(found) else None


def _back(
    model: ModelProto, tape: Tape, seeds: dict[str, str], gradients: dict[str, str]
) -> ModelProto:
    """The nodes of the way back alone."""
    from onnx import ModelProto, helper

    back = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph = back.graph
    graph.name = "back"
    graph.node.extend(tape.nodes)
    of = {gradient: name for name, gradient in gradients.items()}
    types = _types(model.graph)
    for name in of:
        known = types.get(of[name])
        graph.output.add().CopyFrom(known or helper.make_empty_tensor_value_info(name))
        graph.output[-1].name = name
    prune(graph)
    made = {name for node in graph.node for name in node.output}
    read = dict.fromkeys(name for node in graph.node for name in reads(node) if name not in made)
    stored = (*tape.initializers, *model.graph.initializer)
    graph.initializer.extend(tensor for tensor in stored if tensor.name in read)
    constant = {tensor.name for tensor in graph.initializer}
    output_of = {seed: output for output, seed in seeds.items()}
    for name in dict.fromkeys((*output_of, *read)):
        if name not in constant:
            known = types.get(output_of.get(name, name))
            type_alone = helper.make_tensor_value_info(name, tape.elem_type(name) or _FLOAT, None)
            graph.input.add().CopyFrom(known or type_alone)
            graph.input[-1].name = name
    return back


def _there(model: ModelProto, back: ModelProto, tensors: Collection[str]) -> ModelProto:
    """The model, which gets other outputs behind its own."""
    from onnx import helper

    graph = model.graph
    types = _types(graph)
    made = {name for node in graph.node for name in node.output}
    made -= {value.name for value in graph.output}
    for name in dict.fromkeys((*tensors, *(value.name for value in back.graph.input))):
        if name in made:
            graph.output.append(types.get(name) or helper.make_empty_tensor_value_info(name))
    return model


def _types(graph: GraphProto) -> dict[str, ValueInfoProto]:
    return {value.name: value for value in (*graph.value_info, *graph.input, *graph.output)}
