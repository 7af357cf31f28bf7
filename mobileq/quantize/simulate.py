"""Run a float model as if any chosen set of its ops were 8-bit integers.

One ONNX Runtime session holds every op twice, behind an If: as it is, and with its inputs, outputs
and weights rounded to 8 bits (QuantizeLinear and DequantizeLinear). Which of the two runs is an
input of the session, so a search over thousands of mixed-precision models builds nothing anew.
Targets' own integer kernels differ from this by the rounding of their accumulators only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mobileq.quantize.groups import OpGroup
from mobileq.spec import TensorRange

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

_LEVELS = 255
_SWITCH = "mobileq_switch_"


class Simulator:
    """A model whose groups can be switched to simulated int8.

    Args:
        model: The prepared float model.
        groups: From `find_groups`.
        ranges: Of every tensor that a group takes or gives; groups with a tensor that has none
            can't be switched and are left out of `groups`.
        threads: Of ONNX Runtime; 0 for all.
    """

    def __init__(
        self,
        model: ModelProto,
        groups: Iterable[OpGroup],
        ranges: Mapping[str, TensorRange],
        threads: int = 0,
    ) -> None:
        import onnxruntime

        self.groups = tuple(
            group
            for group in groups
            if all(name in ranges for name in (*group.inputs, *group.tensors))
        )
        self._outputs = [output.name for output in model.graph.output]
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        # Otherwise it makes integer ops of our pairs, with roundings of its own.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        self._session = onnxruntime.InferenceSession(
            _switchable(model, self.groups, ranges).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )

    def run(
        self, feeds: Mapping[str, npt.NDArray[Any]], quantized: Collection[str]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """{output name: array} with the groups named in `quantized` in simulated int8."""
        import numpy as np

        chosen = set(quantized)
        switches = {_SWITCH + group.name: np.array(group.name in chosen) for group in self.groups}
        values = self._session.run(self._outputs, {**feeds, **switches})
        return dict(zip(self._outputs, values, strict=True))


def _switchable(
    model: ModelProto, groups: tuple[OpGroup, ...], ranges: Mapping[str, TensorRange]
) -> ModelProto:
    from onnx import ModelProto, TensorProto, helper

    made = ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    pairs = _Rounding(ranges)
    by_node = {at: group for group in groups for at in group.nodes}
    nodes: list[NodeProto] = []
    for at, node in enumerate(model.graph.node):
        group = by_node.get(at)
        if group is None:
            nodes.append(node)
        elif at == group.nodes[-1]:
            # A SiLU's sigmoid goes with its multiplication, which comes later.
            members = [model.graph.node[index] for index in group.nodes]
            nodes.append(_switch(model.graph, group, members, pairs))
            graph.input.append(
                helper.make_tensor_value_info(_SWITCH + group.name, TensorProto.BOOL, [])
            )
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(pairs.constants)
    del graph.value_info[:]
    return made


def _switch(
    graph: GraphProto, group: OpGroup, members: list[NodeProto], pairs: _Rounding
) -> NodeProto:
    from onnx import NodeProto, TensorProto, helper

    name = group.name
    renamed = {tensor: f"{tensor}/int8" for tensor in (*group.inputs, *group.tensors)}
    integer = [node for tensor in group.inputs for node in pairs.nodes(tensor, renamed[tensor])]
    weights = []
    for member in members:
        copy = NodeProto()
        copy.CopyFrom(member)
        for at, tensor in enumerate(member.input):
            copy.input[at] = renamed.get(tensor, tensor)
            if tensor == group.weights:
                weights.append(_rounded_weights(graph, tensor, member.op_type))
                copy.input[at] = weights[-1].name
        for at, tensor in enumerate(member.output):
            copy.output[at] = f"{tensor}/raw"
        integer.append(copy)
        for tensor in member.output:
            integer += pairs.nodes(f"{tensor}/raw", renamed[tensor], tensor)
    plain = []
    for member in members:
        copy = NodeProto()
        copy.CopyFrom(member)
        for at, tensor in enumerate(member.output):
            copy.output[at] = f"{tensor}/float"
        for at, tensor in enumerate(member.input):
            if tensor in group.tensors:
                copy.input[at] = f"{tensor}/float"
        plain.append(copy)
    results = list(members[-1].output)  # nothing else is used outside the group

    def branch(kind: str, nodes: list[NodeProto], ending: str) -> GraphProto:
        outputs = [
            helper.make_tensor_value_info(f"{tensor}{ending}", TensorProto.FLOAT, None)
            for tensor in results
        ]
        return helper.make_graph(
            nodes, f"{name}/{kind}", [], outputs, weights if kind == "then" else []
        )

    return helper.make_node(
        "If",
        [_SWITCH + name],
        results,
        name=f"mobileq/{name}",
        then_branch=branch("then", integer, "/int8"),
        else_branch=branch("else", plain, "/float"),
    )


class _Rounding:
    """Makes QuantizeLinear, DequantizeLinear pairs and the constants they share."""

    def __init__(self, ranges: Mapping[str, TensorRange]) -> None:
        self._ranges = ranges
        self._made: dict[str, tuple[str, str]] = {}
        self.constants: list[TensorProto] = []

    def nodes(self, source: str, target: str, tensor: str | None = None) -> list[NodeProto]:
        """Nodes that make `target` of `source`, rounded with the range of `tensor`."""
        from onnx import helper

        scale, zero = self._parameters(tensor or source)
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


def affine(found: TensorRange) -> tuple[float, int]:
    """(scale, zero-point of uint8) of a range, widened to hold zero."""
    low, high = min(found.min, 0.0), max(found.max, 0.0)
    scale = max((high - low) / _LEVELS, 1e-9)
    return scale, min(max(round(-low / scale), 0), _LEVELS)


def weight_axis(op_type: str, rank: int) -> int:
    """The axis of an op's weights that has a scale for each index: its output channels."""
    return {"Conv": 0, "ConvTranspose": 1}.get(op_type, rank - 1)


def _rounded_weights(graph: GraphProto, name: str, op_type: str) -> TensorProto:
    """The weights rounded per output channel, symmetrically, to 8 bits."""
    import numpy as np
    from onnx import numpy_helper

    tensor = next(tensor for tensor in graph.initializer if tensor.name == name)
    values = numpy_helper.to_array(tensor)
    axis = weight_axis(op_type, values.ndim)
    others = tuple(index for index in range(values.ndim) if index != axis)
    scale = np.maximum(np.abs(values).max(axis=others, keepdims=True) / 127.0, 1e-12)
    rounded = np.clip(np.round(values / scale), -127, 127) * scale
    return numpy_helper.from_array(rounded.astype(np.float32), f"{name}/int8")
