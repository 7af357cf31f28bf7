"""A model cut into its endings, so that what comes before an op need not be run again and again.

To see what one op costs when it is quantized, everything before it is the same as in the float
model: run once, it is the input of the ending that the op is in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.graph.shapes import without_weights
from mobileq.onnx_runtime import SessionOptions, open_session
from mobileq.protobuf import copy_fields
from mobileq.quantize.groups import OpGroup

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import ModelProto, ValueInfoProto

    Feeds = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Suffix:
    """The nodes from some position to the end, as a model.

    `groups` are those among its first nodes, up to where the next suffix begins; `inputs` the
    tensors it takes: the model's own, or what an earlier node gives. It has those of the model's
    outputs that it can still change.
    """

    whole: ModelProto
    start: int
    groups: tuple[OpGroup, ...]
    inputs: tuple[str, ...]

    def model(self, types: Mapping[str, ValueInfoProto]) -> ModelProto:
        """Made anew, with its weights; `types` are of the whole model's tensors."""
        from onnx import ModelProto, TensorProto, helper

        graph = self.whole.graph
        nodes = list(graph.node)[self.start :]
        given = {name for node in nodes for name in node.output}
        used = {name for node in nodes for name in node.input}
        made = ModelProto()
        copy_fields(self.whole, made, ("graph",))
        made.graph.name = graph.name
        made.graph.node.extend(nodes)
        made.graph.output.extend(output for output in graph.output if output.name in given)
        made.graph.input.extend(
            types.get(name) or helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            for name in self.inputs
        )
        made.graph.initializer.extend(each for each in graph.initializer if each.name in used)
        return made


def types_of(model: ModelProto) -> dict[str, ValueInfoProto]:
    """Of all tensors whose types are known."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(without_weights(model)).graph
    return {value.name: value for value in (*graph.value_info, *graph.input)}


def suffixes(model: ModelProto, groups: Sequence[OpGroup], count: int) -> tuple[Suffix, ...]:
    """At most `count` endings with about as many groups each; every group is in one of them.

    Args:
        model: With static shapes.
        groups: In the order they run.
    """
    starts = _starts(groups, count)
    ends = [*starts[1:], len(model.graph.node)]
    found = []
    for start, end in zip(starts, ends, strict=True):
        own = tuple(
            dataclasses.replace(group, nodes=tuple(at - start for at in group.nodes))
            for group in groups
            if start <= group.nodes[0] < end
        )
        found.append(Suffix(model, start, own, _taken(model, start)))
    return tuple(found)


def _starts(groups: Sequence[OpGroup], count: int) -> list[int]:
    """First nodes of the suffixes. None falls inside a group, whose nodes may not be neighbours."""
    straddled = {at for group in groups for at in range(min(group.nodes) + 1, max(group.nodes) + 1)}
    step = max(1, -(-len(groups) // count))
    starts = [0]
    for group in groups[step::step]:
        start = min(group.nodes)
        if start not in straddled and start > starts[-1]:
            starts.append(start)
    return starts


def _taken(model: ModelProto, start: int) -> tuple[str, ...]:
    """What the nodes from there on take and do not give."""
    nodes = list(model.graph.node)[start:]
    known = {tensor.name for tensor in model.graph.initializer}
    known |= {name for node in nodes for name in node.output}
    used = dict.fromkeys(name for node in nodes for name in node.input if name)
    return tuple(name for name in used if name not in known)


class Prefixes:
    """Runs the float model once per sample for what all suffixes take, and the outputs."""

    def __init__(self, model: ModelProto, suffixes: Sequence[Suffix], threads: int = 0) -> None:
        from onnx import ModelProto, TensorProto, helper

        self._suffixes = suffixes
        self._outputs = [output.name for output in model.graph.output]
        own = {value.name for value in model.graph.input}
        inner = {name for suffix in suffixes for name in suffix.inputs} - own
        self._inner = sorted(inner - set(self._outputs))
        tapped = ModelProto()
        tapped.CopyFrom(model)
        tapped.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self._inner
        )
        self._session = open_session(tapped, SessionOptions(threads=threads))

    def run(self, feeds: Feeds) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The outputs, and what each suffix takes."""
        names = [*self._outputs, *self._inner]
        values = dict(zip(names, self._session.run(names, dict(feeds)), strict=True))
        outputs = {name: values[name] for name in self._outputs}
        values.update(feeds)
        taken = [{name: values[name] for name in suffix.inputs} for suffix in self._suffixes]
        return outputs, taken
