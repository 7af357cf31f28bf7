"""One node on the way back through a graph, and what the rules write for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mobileq.graph.outline import producers
from mobileq.graph.rewrites.rule import Editing, attributes, positive_axis

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import ModelProto, NodeProto

    Array = npt.NDArray[Any]

_SCATTERS_SUMS = 16
"""The opset from which ScatterElements adds up."""
_LARGEST_MATRIX = 2**22
"""Values of the matrix that adds up along an axis: 16 MB."""


class Refused(Exception):
    """The gradient of this node is not known; the message says why."""


class Tape(Editing):
    """The graph behind whose nodes the gradients' are put: its facts are those of the way there.

    `makers` are the nodes of the way there by what they give, `asked` the tensors whose gradients
    are.
    """

    def __init__(self, model: ModelProto, asked: Collection[str]) -> None:
        super().__init__(model)
        self.makers = producers(model.graph)
        self.asked = frozenset(asked)
        self._numbers: dict[tuple[float, str], str] = {}
        self._counts = itertools.count()

    def number(self, value: float, dtype: np.dtype[Any]) -> str:
        """A constant without dimensions."""
        key = (value, dtype.name)
        if key not in self._numbers:
            self._numbers[key] = self.constant(value, dtype)
        return self._numbers[key]

    def fresh(self, hint: str) -> str:
        """A name that no tensor has."""
        names = (f"gradient/{hint}_{count}" for count in self._counts)
        return next(name for name in names if name not in self._used)


@dataclass(frozen=True)
class Step:
    """One node, and the gradients of what it gives.

    `given` has one entry for each output, None where no output of the model depends on it;
    `wanted` are the positions of the inputs whose gradients are asked for.
    """

    node: NodeProto
    tape: Tape
    given: tuple[str | None, ...]
    wanted: Collection[int]

    @property
    def gradient(self) -> str:
        """Of the first output, the only one through which there may be a way."""
        first, *others = self.given
        if first is None or any(other is not None for other in others):
            raise Refused("another output than the first is read")
        return first

    @property
    def x(self) -> str:
        """The first input."""
        return str(self.node.input[0])

    @property
    def y(self) -> str:
        """The first output."""
        return str(self.node.output[0])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the first input."""
        return self.tape.dtype(self.x)

    def attribute(self, name: str, default: Any = None) -> Any:
        """A plain value of the node."""
        return attributes(self.node).get(name, default)

    def has(self, position: int) -> bool:
        """Whether the node has this input."""
        return len(self.node.input) > position and bool(self.node.input[position])

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a tensor of the way there."""
        shape = self.tape.shape(name)
        if shape is None:
            raise Refused("a shape is not known before the model runs")
        return shape

    def value(self, position: int) -> Array:
        """Of an input that has to be a constant."""
        value = self.tape.value(self.node.input[position]) if self.has(position) else None
        if value is None:
            raise Refused(f"its input {position} is not constant")
        return value

    def ints(self, position: int, name: str) -> list[int] | None:
        """Whole numbers that are an attribute in old opsets and a constant input in new ones; None
        where there are none."""
        if self.has(position):
            return [int(each) for each in self.value(position).reshape(-1)]
        return self.tape.ints(self.node, position, name)

    def axes(self, position: int, name: str = "axes") -> list[int] | None:
        """Of the first input, counted from the front."""
        axes = self.ints(position, name)
        rank = len(self.shape(self.x))
        return None if axes is None else [positive_axis(axis, rank) for axis in axes]

    def axis(self, default: int) -> int:
        """The attribute `axis`, counted from the front of the first input."""
        return positive_axis(self.attribute("axis", default), len(self.shape(self.x)))

    def op(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """A new node's output."""
        return self.tape.emit(op_type, inputs, **attributes)

    def number(self, value: float) -> str:
        """A constant of the type of the first input, without dimensions."""
        return self.tape.number(value, self.dtype)

    def constant(self, value: Any) -> str:
        """A constant of the type of the first input."""
        return self.tape.constant(value, self.dtype)

    def scaled(self, value: str, factor: float) -> str:
        """The tensor times a number."""
        return value if factor == 1 else self.op("Mul", value, self.number(factor))

    def zeros(self, shape: Sequence[int]) -> str:
        """A tensor of zeros, which the file does not hold."""
        from onnx import numpy_helper

        zero = numpy_helper.from_array(np.zeros(1, self.dtype))
        lengths = self.tape.constant(list(shape), "int64")
        return self.op("ConstantOfShape", lengths, value=zero)

    def reshaped(self, value: str, shape: Sequence[int]) -> str:
        """The values in another shape, which has no length of 0."""
        return self.op("Reshape", value, self.tape.constant(list(shape), "int64"))

    def expanded(self, value: str, shape: Sequence[int]) -> str:
        """The values repeated along the axes of 1."""
        return self.op("Expand", value, self.tape.constant(list(shape), "int64"))

    def padded(self, value: str, before: Sequence[int], after: Sequence[int]) -> str:
        """The tensor with zeros around it; less of it where a number is negative."""
        if not any((*before, *after)):
            return value
        return self.op("Pad", value, self.tape.constant([*before, *after], "int64"))

    def mean(self, value: str, axes: Sequence[int], shape: Sequence[int]) -> str:
        """Over axes of a tensor of this shape, which stay with a length of 1."""
        count = int(np.prod([shape[axis] for axis in axes]))
        return self.scaled(self.tape.summed(value, axes), 1 / count)

    def gathered_sums(self, value: str, shape: Sequence[int], shorter: Sequence[int]) -> str:
        """The sums of `value`, of `shape`, over the axes along which `shorter` was broadcast."""
        more = len(shape) - len(shorter)
        padded = (1,) * more + tuple(shorter)
        axes = [at for at, pair in enumerate(zip(padded, shape, strict=True)) if pair[0] != pair[1]]
        if axes:
            value = self.tape.summed(value, axes)
        return self.reshaped(value, shorter) if more else value

    def selected(self, value: str, shape: Sequence[int], axis: int, chosen: Array) -> str:
        """The gradient of x where `value`, of `shape`, is that of x[chosen] along an axis.

        `shape` is x's but for this axis; entries of `chosen` that are negative chose nothing of x.
        """
        length, count = shape[axis], len(chosen)
        used = chosen[chosen >= 0]
        if len(np.unique(used)) == len(used):
            # Each at most once: the others are where a row of zeros is.
            back = np.full(length, count)
            back[used.astype(np.int64)] = np.flatnonzero(chosen >= 0)
            if len(used) < length:
                row = [*shape[:axis], 1, *shape[axis + 1 :]]
                value = self.op("Concat", value, self.zeros(row), axis=axis)
            return self.op("Gather", value, self.tape.constant(back, "int64"), axis=axis)
        return self.along(value, len(shape), axis, np.arange(length) == chosen[:, None])

    def scattered(
        self, value: str, where: str, shape: Sequence[int], axis: int, *, apart: bool
    ) -> str:
        """Zeros of this shape to which `value` is added at the indices along an axis, each of which
        there is once only where they are `apart`."""
        if apart:
            return self.op("ScatterElements", self.zeros(shape), where, value, axis=axis)
        if self.tape.opset < _SCATTERS_SUMS:
            raise Refused(f"before opset {_SCATTERS_SUMS} nothing adds up by indices")
        zeros = self.zeros(shape)
        return self.op("ScatterElements", zeros, where, value, axis=axis, reduction="add")

    @property
    def scatters_sums(self) -> bool:
        """Whether `scattered` knows indices that are not apart."""
        return self.tape.opset >= _SCATTERS_SUMS

    def along(self, value: str, rank: int, axis: int, matrix: Array) -> str:
        """The product with a matrix [length, new length] along an axis."""
        if matrix.size > _LARGEST_MATRIX:
            raise Refused("an axis is too long")
        order = list(range(rank))
        order[axis], order[-1] = order[-1], axis
        if axis != rank - 1:
            value = self.op("Transpose", value, perm=order)
        value = self.op("MatMul", value, self.constant(matrix))
        return self.op("Transpose", value, perm=order) if axis != rank - 1 else value


Found = Mapping[int, str | None]
Rule = Callable[[Step], Found]
"""{position of an input: its gradient}, of all that are wanted; None where what would be given is
in another's already. Raises `Refused`."""
