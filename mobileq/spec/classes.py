"""How classes of whole pictures are read: the spec of the task `classify`."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from mobileq.spec.base import Problems, ReadingSpec, TensorSpec

ClassValues = Literal[
    "logits",  # also their log-softmax: a softmax makes probabilities of them
    "probabilities",  # read as they are; of a softmax, or of a sigmoid for each class
]


class ClassesSpec(ReadingSpec, frozen=True, kw_only=True):
    """What the one output, a value for each class, holds."""

    section: ClassVar[str] = "classes"

    class_count: Annotated[int, Meta(ge=1, le=1_000_000)]
    values: ClassValues = "logits"

    @property
    def label_count(self) -> int:
        """A name for each class."""
        return self.class_count

    @property
    def summary(self) -> str:
        """See `ReadingSpec`."""
        read = "read as they are" if self.values == "probabilities" else "a softmax is added"
        return f"Classes: {self.class_count}, from {self.values} ({read})"

    def contradictions(self, outputs: tuple[TensorSpec, ...]) -> Problems:
        """See `ReadingSpec`."""
        if len(outputs) != 1:
            yield "class_count", f"classes are read of one output; the model has {len(outputs)}"
            return
        shape = outputs[0].shape
        if min(shape, default=0) > 0 and math.prod(shape[1:]) != self.class_count:
            yield (
                "class_count",
                f"'{outputs[0].name}' {list(shape)} does not hold {self.class_count} for a picture",
            )
