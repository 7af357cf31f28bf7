"""Run a float model as if any chosen parts of it were 8-bit integers.

One ONNX Runtime session holds everything that can be rounded twice, behind an If: as it is, and
rounded to 8 bits (QuantizeLinear and DequantizeLinear). Which of the two runs is an input of the
session, so a search over thousands of mixed-precision models builds nothing anew. Targets' own
integer kernels differ from this by the rounding of their accumulators only.

What a group rounds is of two kinds. Its inside, the weights and what is between its nodes, is
rounded where the group is integer. A tensor that passes from group to group is rounded where any
that touches it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mobileq.graph.eight_bits import affine, channel_axis
from mobileq.onnx_runtime import Held, SessionOptions, open_session
from mobileq.quantize.groups import OpGroup, touched_tensors
from mobileq.quantize.repairs.weight_shift import without_shift
from mobileq.spec import TensorRange

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

_SWITCH = "mobileq_switch_"
_OURS = "mobileq/"
_FLOAT = "/float"
_ROUNDED = "/int8"
"""Ends the names of rounded weights."""
Shifts = Mapping[str, "npt.NDArray[np.float64]"]
NO_SHIFTS: Shifts = {}


class Simulator:
    """A model whose parts can be switched to simulated int8.

    Attributes:
        groups: Those that can be switched: of whose tensors all have ranges.
        touched: Of these, see `touched_tensors`.
        switches: All that `run` can round.

    Args:
        model: The prepared float model.
        groups: From `find_groups`.
        ranges: Of every tensor that a group takes or gives.
        threads: Of ONNX Runtime; 0 for all.
        shifts: What is taken out of biases where weights are rounded, by what their layers give;
            see `repairs.weight_shift`.
    """

    def __init__(
        self,
        model: ModelProto,
        groups: Iterable[OpGroup],
        ranges: Mapping[str, TensorRange],
        threads: int = 0,
        shifts: Shifts = NO_SHIFTS,
    ) -> None:
        self.groups = with_ranges(groups, ranges)
        self.touched = touched_tensors(model, self.groups)
        self._outputs = [output.name for output in model.graph.output]
        made, self.switches = switchable(model, self.groups, self.touched, ranges, shifts)
        self._session = open_session(made, SessionOptions(threads=threads, keep_pairs=True))

    def parts(self, groups: Collection[str]) -> set[str]:
        """All that is rounded where these groups are integer, for `run`."""
        return {name for group in groups for name in (inside(group), *self.touched[group])}

    def run(
        self, feeds: Mapping[str, npt.NDArray[Any] | Held], rounded: Collection[str]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """{output name: array} with these tensors, and insides of groups, rounded to 8 bits."""
        import numpy as np

        switches = {_SWITCH + name: np.array(name in rounded) for name in self.switches}
        values = self._session.run(self._outputs, {**feeds, **switches})
        return dict(zip(self._outputs, values, strict=True))


def with_ranges(
    groups: Iterable[OpGroup], ranges: Mapping[str, TensorRange]
) -> tuple[OpGroup, ...]:
    """Those all of whose tensors have ranges: others stay float."""
    return tuple(
        group for group in groups if all(name in ranges for name in (*group.inputs, *group.tensors))
    )


def switches(
    model: ModelProto, groups: Iterable[OpGroup], ranges: Mapping[str, TensorRange]
) -> set[str]:
    """All that a `Simulator` of these could round."""
    known = with_ranges(groups, ranges)
    touched = touched_tensors(model, known).values()
    passed = {name for names in touched for name in names if name in ranges}
    return passed | {inside(group.name) for group in known if _has_inside(group)}


def inside(group: str) -> str:
    """What stands for the weights of the group of this name, and the tensors between its nodes."""
    return f"inside {group}"


def switchable(
    model: ModelProto,
    groups: tuple[OpGroup, ...],
    touched: Mapping[str, tuple[str, ...]],
    ranges: Mapping[str, TensorRange],
    shifts: Shifts = NO_SHIFTS,
) -> tuple[ModelProto, tuple[str, ...]]:
    """The model with its switches, and what there is a switch for."""
    from onnx import ModelProto, TensorProto, helper

    made = ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    pairs = _Rounding(ranges)
    by_node = {at: group for group in groups for at in group.nodes}
    passed = {name for names in touched.values() for name in names if name in ranges}
    switches: list[str] = []
    renamed: dict[str, str] = {}
    nodes: list[NodeProto] = []

    def passing(name: str, source: str, target: str) -> NodeProto:
        switches.append(name)
        rounded = pairs.nodes(source, target, name)
        return _switch(name, [target], rounded, [_same(source, target)])

    for value in graph.input:
        if value.name in passed:
            # What a session is fed keeps its name.
            renamed[value.name] = f"{value.name}/passed"
            nodes.append(passing(value.name, value.name, renamed[value.name]))
    for at, original in enumerate(model.graph.node):
        group = by_node.get(at)
        given = {name: name + _FLOAT for name in original.output if name in passed}
        if group is not None and at != group.nodes[-1]:
            continue  # a SiLU's sigmoid goes with its multiplication, which comes later
        if group is not None and _has_inside(group):
            members = [_renamed(model.graph.node[index], renamed, given) for index in group.nodes]
            nodes.append(_inside(model.graph, group, members, pairs, shifts))
            switches.append(inside(group.name))
        else:
            nodes.append(_renamed(original, renamed, given))
        nodes += [passing(name, source, name) for name, source in given.items()]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(pairs.constants)
    graph.input.extend(
        helper.make_tensor_value_info(_SWITCH + name, TensorProto.BOOL, []) for name in switches
    )
    del graph.value_info[:]
    _write(graph, model.graph)
    return made, tuple(switches)


def _has_inside(group: OpGroup) -> bool:
    return group.weights is not None or len(group.nodes) > 1


def _inside(
    graph: GraphProto, group: OpGroup, members: list[NodeProto], pairs: _Rounding, shifts: Shifts
) -> NodeProto:
    """The group with its weights, and what is between its nodes, as they are or rounded."""
    integer: list[NodeProto] = []
    inner: dict[str, str] = {}
    constants = []
    for at, member in zip(group.nodes, members, strict=True):
        between = {name: f"{name}/raw" for name in member.output if name in group.tensors[:-1]}
        renamed = dict(inner)
        if group.weights is not None and group.weights in member.input:
            constants.append(_unwritten(graph, group.weights))
            renamed[group.weights] = constants[-1].name
        integer.append(_renamed(member, renamed, between))
        shift = shifts.get(graph.node[at].output[0])
        if shift is not None:
            constants.append(without_shift(graph, integer[-1], shift))
        for name, raw in between.items():
            inner[name] = f"{name}/int8"
            integer += pairs.nodes(raw, inner[name], name)
    return _switch(inside(group.name), list(members[-1].output), integer, members, constants)


def _switch(
    name: str,
    results: list[str],
    rounded: list[NodeProto],
    plain: list[NodeProto],
    constants: list[TensorProto] | None = None,
) -> NodeProto:
    """Two ways to the same results; those have their names inside the branches as well."""
    from onnx import TensorProto, helper

    def branch(kind: str, nodes: list[NodeProto], constants: list[TensorProto]) -> GraphProto:
        # A branch must not use names of the graph around it.
        given = {output: f"{output}/{kind}" for node in nodes for output in node.output}
        nodes = [_renamed(node, given, given) for node in nodes]
        outputs = [
            helper.make_tensor_value_info(given[result], TensorProto.FLOAT, None)
            for result in results
        ]
        return helper.make_graph(nodes, f"{name}/{kind}", [], outputs, constants)

    return helper.make_node(
        "If",
        [_SWITCH + name],
        results,
        name=_OURS + name,
        then_branch=branch("then", rounded, constants or []),
        else_branch=branch("else", plain, []),
    )


def _same(source: str, target: str) -> NodeProto:
    from onnx import helper

    return helper.make_node("Identity", [source], [target])


def _renamed(node: NodeProto, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> NodeProto:
    from onnx import NodeProto

    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [inputs.get(name, name) for name in node.input]
    copy.output[:] = [outputs.get(name, name) for name in node.output]
    return copy


class _Rounding:
    """Makes QuantizeLinear, DequantizeLinear pairs and the constants they share."""

    def __init__(self, ranges: Mapping[str, TensorRange]) -> None:
        self._ranges = ranges
        self._made: dict[str, tuple[str, str]] = {}
        self.constants: list[TensorProto] = []

    def nodes(self, source: str, target: str, tensor: str) -> list[NodeProto]:
        """Nodes that make `target` of `source`, rounded with the range of `tensor`."""
        from onnx import helper

        scale, zero = self._parameters(tensor)
        codes = f"{target}/codes"
        return [
            helper.make_node("QuantizeLinear", [source, scale, zero], [codes]),
            helper.make_node("DequantizeLinear", [codes, scale, zero], [target]),
        ]

    def _parameters(self, tensor: str) -> tuple[str, str]:
        if tensor not in self._made:
            import numpy as np
            from onnx import numpy_helper

            scale, zero = affine(self._ranges[tensor])
            names = f"mobileq/{tensor}/scale", f"mobileq/{tensor}/zero"
            self.constants += [
                numpy_helper.from_array(np.array(scale, np.float32), names[0]),
                numpy_helper.from_array(np.array(zero, np.uint8), names[1]),
            ]
            self._made[tensor] = names
        return self._made[tensor]


def _unwritten(graph: GraphProto, name: str) -> TensorProto:
    """What becomes the rounded weights in a branch, see `_write`. Nodes are copied on their way
    into the graph, and weights are not to be."""
    from onnx import TensorProto

    tensor = _constant(graph, name)
    return TensorProto(name=name + _ROUNDED, data_type=TensorProto.FLOAT, dims=tensor.dims)


def _write(made: GraphProto, graph: GraphProto) -> None:
    """The weights rounded per output channel, symmetrically, to 8 bits, into all branches."""
    for switch in made.node:
        for branch in (each.g for each in switch.attribute if switch.name.startswith(_OURS)):
            takers = {name: node for node in branch.node for name in node.input}
            for tensor in branch.initializer:
                if not tensor.name.endswith(_ROUNDED):
                    continue
                weights = _constant(graph, tensor.name.removesuffix(_ROUNDED))
                tensor.raw_data = _rounded_weights(weights, takers[tensor.name])


def _constant(graph: GraphProto, name: str) -> TensorProto:
    return next(tensor for tensor in graph.initializer if tensor.name == name)


def _rounded_weights(tensor: TensorProto, node: NodeProto) -> bytes:
    import numpy as np
    from onnx import numpy_helper

    values = numpy_helper.to_array(tensor)
    axis = channel_axis(node, values.ndim)
    others = tuple(index for index in range(values.ndim) if index != axis)
    scale = np.maximum(np.abs(values).max(axis=others, keepdims=True) / 127.0, 1e-12)
    rounded = values / scale
    np.round(rounded, out=rounded)
    np.clip(rounded, -127, 127, out=rounded)
    rounded *= scale
    data: bytes = rounded.astype("<f4", copy=False).tobytes()
    return data
