"""How classes of whole pictures are read: the spec of the task `classify`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from mobileq.spec.base import Meaning, Name, Problems, ReadingSpec, Spec, TensorSpec

ClassValues = Literal[
    "logits",  # also their log-softmax: a softmax makes probabilities of them
    "probabilities",  # read as they are; of a softmax, or of a sigmoid for each class
]
ClassCount = Annotated[int, Meta(ge=1, le=1_000_000)]


class ClassHead(Spec, frozen=True, kw_only=True):
    """One of several questions that a model answers, each in an output of its own.

    `name` is what people call it: "age".
    """

    name: Name
    output: Name
    class_count: ClassCount
    values: ClassValues = "logits"


class ClassesSpec(ReadingSpec, frozen=True, kw_only=True, omit_defaults=True):
    """What the one output, a value for each class, holds; or what those of several `heads` do.

    `class_count` is that of all heads together: their classes, and so their names, are numbered one
    head after the other.
    """

    section: ClassVar[str] = "classes"

    class_count: ClassCount
    values: ClassValues = "logits"
    heads: tuple[ClassHead, ...] = ()

    @property
    def label_count(self) -> int:
        """A name for each class."""
        return self.class_count

    @property
    def summary(self) -> str:
        """See `ReadingSpec`."""
        if not self.heads:
            return f"Classes: {self.class_count}, {_read(self.values)}"
        told = (f"{each.name} {each.class_count}, {_read(each.values)}" for each in self.heads)
        return f"Classes: {'; '.join(told)}"

    def meanings(self, outputs: tuple[TensorSpec, ...]) -> Mapping[str, Meaning]:
        """See `ReadingSpec`."""
        heads = heads_of(self, outputs)
        ends = accumulate(head.class_count for head in heads)
        return {
            head.output: Meaning(
                role="class_scores", name=head.name, labels=(end - head.class_count, end)
            )
            for head, end in zip(heads, ends, strict=True)
        }

    def contradictions(self, outputs: tuple[TensorSpec, ...]) -> Problems:
        """See `ReadingSpec`."""
        if self.heads:
            yield from self._of_heads(outputs)
        elif len(outputs) != 1:
            yield (
                "class_count",
                f"classes are read of one output, or of those that heads name; the model has "
                f"{len(outputs)}",
            )
        elif not _holds(outputs[0], self.class_count):
            yield "class_count", _misfit(outputs[0], self.class_count)

    def _of_heads(self, outputs: tuple[TensorSpec, ...]) -> Problems:
        known = {output.name: output for output in outputs}
        for key in ("output", "name"):
            values = [getattr(head, key) for head in self.heads]
            for index, value in enumerate(values):
                if value in values[:index]:
                    yield f"heads[{index}].{key}", f"'{value}' is there twice"
        for index, head in enumerate(self.heads):
            if head.output not in known:
                listed = ", ".join(map(repr, known))
                yield (
                    f"heads[{index}].output",
                    f"the model has no output '{head.output}'; its outputs are {listed}",
                )
            elif not _holds(known[head.output], head.class_count):
                yield (
                    f"heads[{index}].class_count",
                    _misfit(known[head.output], head.class_count),
                )
        total = sum(head.class_count for head in self.heads)
        if total != self.class_count:
            yield "class_count", f"it is {self.class_count}; the heads have {total} together"


def _read(values: ClassValues) -> str:
    read = "read as they are" if values == "probabilities" else "a softmax is added"
    return f"from {values} ({read})"


def _holds(output: TensorSpec, count: int) -> bool:
    """As far as its shape is known."""
    return min(output.shape, default=0) < 1 or math.prod(output.shape[1:]) == count


def _misfit(output: TensorSpec, count: int) -> str:
    return f"'{output.name}' {list(output.shape)} does not hold {count} for a picture"


def heads_of(spec: ClassesSpec, outputs: Sequence[TensorSpec]) -> tuple[ClassHead, ...]:
    """All that are read, also where there is but one, which has no name."""
    if spec.heads:
        return spec.heads
    (output,) = outputs
    count, values = spec.class_count, spec.values
    return (ClassHead(name=output.name, output=output.name, class_count=count, values=values),)
