"""What a rule of the rewrites is, and the graph that it works on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobileq.graph.outline import DYNAMIC, attribute, constants, dims, opset

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from onnx import ModelProto, NodeProto, TensorProto

    Array = npt.NDArray[np.generic]

_OF_A_VALUE = {1: "f", 2: "i", 3: "s", 6: "floats", 7: "ints", 8: "strings"}
"""`AttributeProto.AttributeType` -> the field that holds a plain value."""


_AXES_AS_INPUT = 13
"""The opset from which Squeeze, Unsqueeze and ReduceSum take their axes as an input."""


@dataclass(frozen=True)
class Rule:
    """One rewriting of nodes into others that compute the same.

    `apply` takes a node of one of the operators `ops` and the graph; it emits what takes the
    node's place, whose last nodes give the node's own outputs, and returns None. Where it does not
    match it returns the reason and has emitted nothing.
    """

    name: str
    ops: frozenset[str]
    apply: Callable[[NodeProto, Editing], str | None]


class Editing:
    """A graph that is being rewritten, node after node: its facts, and new nodes.

    Facts are of tensors as they were before; of a tensor that was just emitted nothing is known.
    """

    def __init__(self, model: ModelProto) -> None:
        self.opset = opset(model)
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        graph = model.graph
        self._constants = constants(graph)
        typed = (*graph.value_info, *graph.input, *graph.output)
        self._shapes = {value.name: dims(value) for value in typed}
        self._types = {value.name: value.type.tensor_type.elem_type for value in typed}
        self._makers = {name: node.op_type for node in graph.node for name in node.output}
        self._used = {name for node in graph.node for name in (*node.input, *node.output)}
        self._used |= {*self._types, *self._constants}

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The tensor's shape where all of it is known."""
        if name in self._constants:
            return self._constants[name].shape
        shape = self._shapes.get(name)
        return None if shape is None or DYNAMIC in shape else shape

    def rank(self, name: str) -> int | None:
        """The number of dimensions."""
        if name in self._constants:
            return self._constants[name].ndim
        shape = self._shapes.get(name)
        return None if shape is None else len(shape)

    def elem_type(self, name: str) -> int:
        """`TensorProto.DataType`; 0 where it is not known."""
        from onnx import helper

        if name in self._constants:
            return int(helper.np_dtype_to_tensor_dtype(self._constants[name].dtype))
        return int(self._types.get(name, 0))

    def dtype(self, name: str) -> np.dtype[Any]:
        """numpy's type of the tensor, float32 where it is not known."""
        from onnx import helper

        found: np.dtype[Any] = helper.tensor_dtype_to_np_dtype(self.elem_type(name) or 1)
        return found

    def value(self, name: str) -> Array | None:
        """The tensor's value where it is a constant."""
        return self._constants.get(name)

    def ints(self, node: NodeProto, position: int, name: str) -> list[int] | None:
        """Whole numbers that came as an attribute in old opsets and come as an input in new ones;
        None where they are not there, or not constant."""
        item = attribute(node, name)
        if item is not None:
            return list(item.ints)
        if len(node.input) <= position or not node.input[position]:
            return None
        value = self.value(node.input[position])
        return None if value is None else [int(each) for each in value.reshape(-1)]

    def made_by(self, name: str) -> str | None:
        """Type of the op that gave the tensor before; None of inputs and constants."""
        return self._makers.get(name)

    def constant(self, value: Any, dtype: npt.DTypeLike = None, hint: str = "constant") -> str:
        """A new initializer's name."""
        import numpy as np
        from onnx import numpy_helper

        name = self.fresh(hint)
        array = np.ascontiguousarray(value, dtype).reshape(np.shape(value))
        self.initializers.append(numpy_helper.from_array(array, name))
        self._constants[name] = array
        return name

    def emit(
        self,
        op_type: str,
        inputs: Sequence[str],
        outputs: Iterable[str] | None = None,
        hint: str = "",
        **attributes: Any,
    ) -> str:
        """Add a node; gives the name of its first output, a new one where none are named."""
        from onnx import helper

        given = list(outputs) if outputs is not None else [self.fresh(hint or op_type.lower())]
        label = next(name for name in given if name)
        self.nodes.append(
            helper.make_node(op_type, list(inputs), given, f"{op_type}_{label}", **attributes)
        )
        return label

    def unsqueezed(self, name: str, axes: Sequence[int]) -> str:
        """The tensor with axes of 1 put in."""
        if self.opset >= _AXES_AS_INPUT:
            return self.emit("Unsqueeze", [name, self.constant(list(axes), "int64")])
        return self.emit("Unsqueeze", [name], axes=list(axes))

    def squeezed(self, name: str, axes: Sequence[int], outputs: Iterable[str] | None = None) -> str:
        """The tensor without the axes, which are of 1."""
        if self.opset >= _AXES_AS_INPUT:
            return self.emit("Squeeze", [name, self.constant(list(axes), "int64")], outputs)
        return self.emit("Squeeze", [name], outputs, axes=list(axes))

    def summed(self, name: str, axes: Sequence[int], keepdims: bool = True) -> str:
        """The tensor's sums over the axes."""
        if self.opset >= _AXES_AS_INPUT:
            inputs = [name, self.constant(list(axes), "int64")]
            return self.emit("ReduceSum", inputs, keepdims=int(keepdims))
        return self.emit("ReduceSum", [name], axes=list(axes), keepdims=int(keepdims))

    def sliced(self, name: str, axis: int, start: int, stop: int, step: int = 1) -> str:
        """x[start:stop:step] along one axis."""
        limits = [self.constant([value], "int64") for value in (start, stop, axis, step)]
        return self.emit("Slice", [name, *limits])

    def copy(self, node: NodeProto, drop: Iterable[str] = (), **changed: Any) -> NodeProto:
        """Add the node with other attributes; those of value None are left out."""
        from onnx import NodeProto, helper

        copy = NodeProto()
        copy.CopyFrom(node)
        kept = [item for item in node.attribute if item.name not in {*changed, *drop}]
        del copy.attribute[:]
        copy.attribute.extend(kept)
        for name, value in changed.items():
            if value is not None:
                copy.attribute.append(helper.make_attribute(name, value))
        self.nodes.append(copy)
        return copy

    def fresh(self, hint: str) -> str:
        """A name that no tensor has."""
        names = (f"{hint}_{count}" for count in itertools.count())
        name = next(name for name in (f"rewritten/{each}" for each in names)
                    if name not in self._used)  # fmt: skip
        self._used.add(name)
        return name


def attributes(node: NodeProto) -> Mapping[str, Any]:
    """Attribute name -> plain value: numbers, lists of numbers, text."""
    found: dict[str, Any] = {}
    for item in node.attribute:
        field = _OF_A_VALUE.get(item.type)
        if field is None:
            continue
        value = getattr(item, field)
        if isinstance(value, bytes):
            value = value.decode()
        found[item.name] = list(value) if field.endswith("s") and field != "s" else value
    return found


def positive_axis(axis: int, rank: int) -> int:
    """An axis counted from the front."""
    return axis + rank if axis < 0 else axis
