"""Ops between convolutions with channels last, as the convolutions have them.

onnx2tf 2.6.9 keeps channels first what is split, shuffled or gated behind a convolution: a
TRANSPOSE on the way in and one on the way out, and GATHERs of channels that `shuffles` doesn't know
then. PicoDet has 46 and 10 of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mobileq.targets.tflite import contents, editing
from mobileq.targets.tflite.layout import CHANNELS_LAST, inverse

_LAST = CHANNELS_LAST[4]
_FIRST = inverse(_LAST)
_ELEMENTWISE = frozenset(
    (
        *("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "HARD_SWISH", "LOGISTIC", "TANH"),
        *("RELU", "RELU6", "RELU_0_TO_1", "LEAKY_RELU", "ELU"),
    )
)


def put_channels_last(model: Any) -> bool:
    """Take away the TRANSPOSEs around ops that can do without.

    Returns:
        Whether there were any.
    """
    islands = _Islands(model)
    islands.turn()
    return islands.found


class _Islands:
    """Ops that take nothing but what was turned channels first, or such ops give, and give nothing
    but what is turned back, or such ops take."""

    def __init__(self, model: Any) -> None:
        self._model, self._graph = model, model.subgraphs[0]
        ops = self._graph.operators
        self._makers = {int(index): op for op in ops for index in op.outputs}
        self._takers: dict[int, list[Any]] = {}
        for op in ops:
            for index in {int(index) for index in op.inputs}:
                self._takers.setdefault(index, []).append(op)
        self._outputs = {int(index) for index in self._graph.outputs}
        self._before = {id(op) for op in ops if self._turns(op, _FIRST)}
        self._behind = {
            id(op)
            for op in ops
            if self._turns(op, _LAST) and int(op.outputs[0]) not in self._outputs
        }
        self._ops = [op for op in ops if self._is_movable(op)]
        chosen = -1
        while chosen != len(self._ops):
            chosen = len(self._ops)
            inside = {id(op) for op in self._ops}
            self._ops = [op for op in self._ops if self._is_surrounded(op, inside)]
        self.found = bool(self._ops)

    def turn(self) -> None:
        """Rewrite them."""
        instead = {
            index: int(self._makers[index].inputs[0])
            for op in self._ops
            for index in self._dynamic(op)
            if id(self._makers[index]) in self._before
        }
        inside = {int(op.outputs[0]) for op in self._ops}
        for op in self._graph.operators:
            if id(op) in self._behind and int(op.inputs[0]) in inside:
                instead[int(op.outputs[0])] = int(op.inputs[0])
        moved = {id(op) for op in self._ops}
        for op in self._ops:
            tensor = self._graph.tensors[int(op.outputs[0])]
            tensor.shape = [int(tensor.shape[axis]) for axis in _LAST]
            if tensor.shapeSignature is not None:
                tensor.shapeSignature = [int(tensor.shapeSignature[axis]) for axis in _LAST]
            self._turn_parameters(op)
        for op in self._graph.operators:
            op.inputs = [self._found(int(index), instead, id(op) in moved) for index in op.inputs]
        self._drop(instead)

    def _found(self, index: int, instead: dict[int, int], is_moved: bool) -> int:
        """What has the values of a tensor, channels last."""
        while index in instead and (is_moved or id(self._makers[index]) in self._behind):
            index = instead[index]
        return index

    def _drop(self, replaced: dict[int, int]) -> None:
        """TRANSPOSEs that nothing takes any more."""
        used = {int(index) for op in self._graph.operators for index in op.inputs} | self._outputs
        turns = self._before | self._behind
        gone = [
            op
            for op in self._graph.operators
            if id(op) in turns and int(op.outputs[0]) in replaced.keys() - used
        ]
        fixed = {*self._outputs, *map(int, self._graph.inputs)}
        for op in gone:
            self._graph.operators.remove(op)
            source, result = int(op.inputs[0]), int(op.outputs[0])
            if id(op) in self._before and source not in fixed:
                # The ONNX model's, by which ranges find it.
                taken, given = self._graph.tensors[source], self._graph.tensors[result]
                taken.name, given.name = given.name, given.name + b"/channels_first"
                fixed.add(source)
        editing.drop_constants(self._model, [int(op.inputs[1]) for op in gone])

    def _turns(self, op: Any, order: tuple[int, ...]) -> bool:
        """Whether an op does nothing but turn; of one place that is a RESHAPE."""
        kind = contents.op_name(self._model, op)
        if kind not in ("TRANSPOSE", "RESHAPE"):
            return False
        shapes = [self._shape(int(op.inputs[0])), self._shape(int(op.outputs[0]))]
        if len(shapes[0]) != 4 or tuple(shapes[0][axis] for axis in order) != shapes[1]:
            return False
        if kind == "RESHAPE":
            return sum(size != 1 for size in shapes[0]) <= 1
        values = contents.values(self._model, self._graph.tensors[int(op.inputs[1])])
        return values is not None and tuple(values.tolist()) == order

    def _is_movable(self, op: Any) -> bool:
        kind = contents.op_name(self._model, op)
        if any(len(self._shape(index)) != 4 for index in (*self._dynamic(op), *op.outputs)):
            return False
        constant = [int(index) for index in op.inputs if int(index) not in self._makers]
        if not all(contents.has_data(self._model, self._graph.tensors[each]) for each in constant):
            return False
        if kind in _ELEMENTWISE:
            return all(max(self._shape(index), default=1) == 1 for index in constant)
        if kind == "CONCATENATION":
            return not constant
        if kind == "GATHER":
            at_once = not op.builtinOptions.batchDims
            return (
                at_once and [int(op.inputs[1])] == constant and len(self._shape(constant[0])) == 1
            )
        return kind == "SLICE" and [int(index) for index in op.inputs[1:]] == constant

    def _is_surrounded(self, op: Any, inside: set[int]) -> bool:
        taken = (id(self._makers[index]) for index in self._dynamic(op))
        result = int(op.outputs[0])
        given = [id(taker) for taker in self._takers.get(result, ())]
        return (
            bool(given)
            and result not in self._outputs
            and all(each in inside or each in self._before for each in taken)
            and all(each in inside or each in self._behind for each in given)
        )

    def _turn_parameters(self, op: Any) -> None:
        """An axis, or what there is for each."""
        kind = contents.op_name(self._model, op)
        if kind in ("CONCATENATION", "GATHER"):
            op.builtinOptions.axis = _LAST.index(op.builtinOptions.axis % 4)
        elif kind == "SLICE":
            source, *before = map(int, op.inputs)
            op.inputs = [source, *map(self._turned, before)]
            editing.drop_constants(self._model, before)

    def _turned(self, index: int) -> int:
        """A constant of one number for each axis."""
        tensor = self._graph.tensors[index]
        values = contents.values(self._model, tensor)
        assert values is not None
        return editing.add_constant(self._model, tensor.name, values[list(_LAST)])

    def _dynamic(self, op: Any) -> Iterator[int]:
        return (int(index) for index in op.inputs if int(index) in self._makers)

    def _shape(self, index: int) -> tuple[int, ...]:
        shape = self._graph.tensors[int(index)].shape
        return () if shape is None else tuple(map(int, shape))
