"""Half precision: weights in float16, and what leads from one product with weights to the next.

ONNX Runtime's own converter (`onnxruntime.transformers.float16`, 1.26) gives a tensor two casts of
one name where two float32 ops take it, as in NanoDet, halves what comes after the last product as
well, where half precision has steps of half a pixel, and calls constants that overflow 65504.

Kernels for half precision are on ARM only: on x86 ONNX Runtime widens the weights when it loads the
file, and computes in float32. An overflow would show on the phone and not here, so ops that give or
take large values stay float32 (`magnitudes`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mobileq.graph.op_facts import WEIGHTY
from mobileq.graph.outline import needed_nodes, opset, reads, subgraphs
from mobileq.graph.shapes import infer_shapes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto, TensorProto

_FLOAT, _FLOAT16 = 1, 10
"""`TensorProto.DataType`."""
_LARGEST = 65504.0
"""The largest float16."""
_ROOM = 8.0
"""How far values of pictures may lie beyond those of the one run that was looked at."""
_MOST_LOST = 1e-3
"""Of a constant, in parts of its norm; 11 bits lose 2e-4."""
_KEPT = frozenset(
    {"Cast", "CumSum", "DequantizeLinear", "MaxUnpool", "NonMaxSuppression", "OneHot"}
    | {"QuantizeLinear", "Range", "RoiAlign", "TopK"}
)
"""They count, rank, or change types."""


def halved(model: ModelProto, largest: Mapping[str, float]) -> ModelProto:
    """A copy in half precision; its inputs and outputs keep their types.

    Args:
        largest: The largest magnitude that was seen of each activation.
    """
    model = infer_shapes(model)
    _Halving(model, largest).rewrite()
    del model.graph.value_info[:]
    return infer_shapes(model)


class _Halving:
    """Rewrites a model's main graph; a tensor has its name in the type in which it is made.

    But for those that are `fixed`, outputs of the model and what the bodies of ifs and loops read:
    theirs is the name of the float32 tensor.
    """

    def __init__(self, model: ModelProto, largest: Mapping[str, float]) -> None:
        from onnx import numpy_helper

        self._graph, self._largest, self._opset = model.graph, largest, opset(model)
        nodes = list(self._graph.node)
        stored = [each for each in self._graph.initializer if each.data_type == _FLOAT]
        self._weights = {each.name: numpy_helper.to_array(each) for each in stored}
        values = (*self._graph.input, *self._graph.output, *self._graph.value_info)
        self._floats = {v.name for v in values if v.type.tensor_type.elem_type == _FLOAT}
        self._floats.update(self._weights)
        self._fixed = {value.name for value in self._graph.output}
        self._fixed.update(
            n for body in subgraphs(nodes) for each in body.node for n in reads(each)
        )
        products = [name for node in nodes if node.op_type in WEIGHTY for name in node.output]
        leading = {name for node in needed_nodes(nodes, products)[0] for name in node.output}
        self._places = [
            self._half_inputs(node) if leading.intersection(node.output) else frozenset[int]()
            for node in nodes
        ]
        """Of each node: the inputs that are to be half; none of a node that stays float32."""
        halved = zip(nodes, self._places, strict=True)
        made = {name for node, places in halved if places for name in node.output}
        self._made_half = made & self._floats

    def rewrite(self) -> None:
        """Halve in place."""
        nodes = list(self._graph.node)
        stored: dict[str, TensorProto] = {}
        casts: dict[str, NodeProto] = {}
        for name in self._fixed & self._weights.keys():
            stored[name] = self._stored(name, is_half=False)
        for node, places in zip(nodes, self._places, strict=True):
            for at, name in enumerate(node.input):
                if name in self._floats:
                    is_half = at in places
                    node.input[at] = self._name(name, is_half)
                    if name in self._weights:
                        stored[node.input[at]] = self._stored(name, is_half)
                    elif is_half != (name in self._made_half):
                        casts[name] = self._cast(name, is_half)
            for at, name in enumerate(node.output):
                if name in self._made_half:
                    node.output[at] = self._name(name, is_half=True)
                    if name in self._fixed:
                        casts[name] = self._cast(name, is_half=False)
        self._store(stored)
        self._insert(nodes, casts)

    def _name(self, name: str, is_half: bool) -> str:
        plain_is_half = name in self._made_half and name not in self._fixed
        if is_half == plain_is_half:
            return name
        return f"{name}/float16" if is_half else f"{name}/float32"

    def _cast(self, name: str, is_half: bool) -> NodeProto:
        from onnx import helper

        source, target = self._name(name, not is_half), self._name(name, is_half)
        to = _FLOAT16 if is_half else _FLOAT
        return helper.make_node("Cast", [source], [target], name=f"{target}/cast", to=to)

    def _stored(self, name: str, is_half: bool) -> TensorProto:
        import numpy as np
        from onnx import numpy_helper

        kind = np.float16 if is_half else np.float32
        return numpy_helper.from_array(self._weights[name].astype(kind), self._name(name, is_half))

    def _store(self, stored: Mapping[str, TensorProto]) -> None:
        kept = [each for each in self._graph.initializer if each.name not in self._weights]
        del self._graph.initializer[:]
        self._graph.initializer.extend([*kept, *(stored[name] for name in sorted(stored))])

    def _insert(self, nodes: list[NodeProto], casts: Mapping[str, NodeProto]) -> None:
        """Each cast right behind what makes its source."""
        waiting = {cast.input[0]: cast for cast in casts.values()}
        ordered = [waiting.pop(each.name) for each in self._graph.input if each.name in waiting]
        for node in nodes:
            ordered.append(node)
            ordered += [waiting.pop(name) for name in node.output if name in waiting]
        del self._graph.node[:]
        self._graph.node.extend(ordered)

    def _half_inputs(self, node: NodeProto) -> frozenset[int]:
        """The inputs that can be half, where all that the node gives can be; else none."""
        if node.op_type in _KEPT or node.domain not in ("", "ai.onnx") or any(subgraphs([node])):
            return frozenset()
        taken, given = self._kinds(node)
        kinds = {kind for kind in taken.values() if kind}
        if not kinds or not given <= kinds or not self._fits(node, taken):
            return frozenset()
        return frozenset(at for at, kind in taken.items() if kind)

    def _kinds(self, node: NodeProto) -> tuple[dict[int, str | None], set[str | None]]:
        """The operator's type parameters of the float32 tensors that a node takes, by their place,
        and gives; None of those that can't be half."""
        import onnx

        schema = onnx.defs.get_schema(node.op_type, self._opset, node.domain)
        half = {
            each.type_param_str
            for each in schema.type_constraints
            if "tensor(float16)" in each.allowed_type_strs
        }

        def kind(parameters: Sequence[Any], at: int) -> str | None:
            found = parameters[min(at, len(parameters) - 1)].type_str  # the last may be variadic
            return found if found in half else None

        taken = enumerate(node.input)
        given = enumerate(node.output)
        return (
            {at: kind(schema.inputs, at) for at, name in taken if name in self._floats},
            {kind(schema.outputs, at) for at, name in given if name in self._floats},
        )

    def _fits(self, node: NodeProto, taken: Collection[int]) -> bool:
        """Whether half precision holds what it takes and gives, with room for other pictures."""
        names = [*(node.input[at] for at in taken), *node.output]
        if any(self._largest.get(name, 0.0) * _ROOM > _LARGEST for name in names):
            return False
        return all(is_held(self._weights[name]) for name in names if name in self._weights)


def is_held(constant: NDArray[Any]) -> bool:
    """Whether half precision holds it: no value becomes infinite, and not so many become zero that
    the rest is another constant. It begins at 6e-8, and is exact to 11 bits from 6e-5 on."""
    import numpy as np

    values = constant[np.isfinite(constant)].astype(np.float64)
    if np.abs(values).max(initial=0.0) > _LARGEST:
        return False
    lost = np.linalg.norm(values - values.astype(np.float16))
    return bool(lost <= _MOST_LOST * np.linalg.norm(values))
