"""Which op of a file gives and takes which tensor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from mobileq.spec import QuantParams
from mobileq.targets.tflite import contents


class Wiring:
    """The main graph's ops by what they take and give.

    Attributes:
        ops: In the order they run.
        makers: {tensor: the op that gives it}.
    """

    def __init__(self, model: Any) -> None:
        self._model, self._tensors = model, model.subgraphs[0].tensors
        self.ops = model.subgraphs[0].operators
        self.makers = {int(index): op for op in self.ops for index in op.outputs}

    def kind(self, op: Any) -> str:
        """The op's type as TFLite names it."""
        return contents.op_name(self._model, op)

    def dtype(self, index: Any) -> str:
        """The tensor's type as numpy names it."""
        return contents.dtype_name(self._tensors[int(index)])

    def takers(self, index: int) -> list[Any]:
        """The ops that take the tensor."""
        return [op for op in self.ops if index in map(int, op.inputs)]

    def only_taker(self, index: Any) -> Any | None:
        """The op that takes the tensor, where no other does and it is no output."""
        takers = self.takers(int(index))
        return takers[0] if len(takers) == 1 and not self._is_output(int(index)) else None

    def is_unused(self, index: Any) -> bool:
        """Whether no op takes the tensor, and it is no output."""
        return not self.takers(int(index)) and not self._is_output(int(index))

    def int8_inputs(self, kind: str, at: int = 0) -> Iterator[tuple[Any, int, QuantParams]]:
        """(op, its input `at`, the scale of that) of each op of a type that takes int8 there.

        The ops may be changed, removed and added to meanwhile.
        """
        for op in contents.ops_of(self._model, kind):
            index = int(op.inputs[at])
            quant = contents.tensor_quant(self._tensors[index])
            if self.dtype(index) == "int8" and quant is not None:
                yield op, index, quant

    def maker(self, index: Any, kind: str) -> Any | None:
        """The op that gives the tensor, where it is of this kind."""
        op = self.makers.get(int(index))
        return op if op is not None and self.kind(op) == kind else None

    def constant(self, index: Any) -> Any | None:
        """Values of a float32 constant."""
        return contents.float32_values(self._model, self._tensors[int(index)])

    def own_constant(self, index: Any) -> Any | None:
        """Values of a constant that one op alone takes."""
        tensor = self._tensors[int(index)]
        sharing = sum(each.buffer == tensor.buffer for each in self._tensors)
        is_own = sharing == 1 and len(self.takers(int(index))) == 1
        return contents.values(self._model, tensor) if is_own else None

    def size(self, index: int) -> int:
        """How many values the tensor has."""
        return math.prod(map(int, self._tensors[index].shape))

    def _is_output(self, index: int) -> bool:
        return index in map(int, self._model.subgraphs[0].outputs)
