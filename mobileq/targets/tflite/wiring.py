"""Which op of a file gives and takes which tensor."""

from __future__ import annotations

import math
from typing import Any

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

    def takers(self, index: int) -> list[Any]:
        """The ops that take the tensor."""
        return [op for op in self.ops if index in map(int, op.inputs)]

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
