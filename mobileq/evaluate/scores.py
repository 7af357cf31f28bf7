"""What a file makes of many samples, taken in one after the other: its answers, or its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mobileq.errors import VerificationError
from mobileq.evaluate.numeric import OutputComparer
from mobileq.targets.base import Runner, Tensors
from mobileq.tasks.base import Answer, Difference, Scored, Task, Truth

if TYPE_CHECKING:
    from mobileq.calibration.samples import Sample


@dataclass
class Answers:
    """All that one file says, as it is shown and as it is scored."""

    task: Task
    shown: list[Answer] = field(default_factory=list)
    ranked: list[Answer] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """Of the pictures."""

    def update(self, sample: Sample, outputs: Tensors) -> None:
        """Take in one sample."""
        self.shown += self.task.read(outputs, sample, "shown")
        self.ranked += self.task.read(outputs, sample, "all")
        self.names += [each.path.name if each.path else sample.id for each in sample.pictures]

    def accuracy(self, truth: Truth, keys: Sequence[int]) -> Scored:
        """See `Task.score`."""
        return self.task.score(truth, keys, self.ranked)

    def agreement(self, reference: Answers) -> Scored:
        """See `Task.agreement`."""
        return self.task.agreement(reference.shown, self.shown)

    def differences(self, reference: Answers) -> list[tuple[str, Difference]]:
        """(picture, what differs) where something does, the most first."""
        pairs = zip(reference.ranked, self.ranked, strict=True)
        each = [self.task.difference(wanted, found) for wanted, found in pairs]
        named = zip(self.names, each, strict=True)
        return sorted((pair for pair in named if pair[1].told), key=lambda pair: -pair[1].amount)


class Numbers:
    """One file's outputs against those of the ONNX model, which runs beside it: the outputs of all
    samples need not be in memory.

    Args:
        name: The file's, for messages.
        reference: The ONNX model's runner.
    """

    def __init__(self, name: str, reference: Runner) -> None:
        self._name, self._reference = name, reference
        self._comparers = {spec.name: OutputComparer(spec.name) for spec in reference.outputs}

    def update(self, sample: Sample, outputs: Tensors) -> None:
        """Take in one sample.

        Raises:
            VerificationError: An output is of another shape.
        """
        for name, wanted in self._reference.run(sample.feeds).items():
            if wanted.shape != outputs[name].shape:
                raise VerificationError(
                    f"The output {name!r} of {self._name} comes out as "
                    f"{list(outputs[name].shape)} where the ONNX model gives {list(wanted.shape)}.",
                    "Convert the model again, or report it.",
                )
            self._comparers[name].update(wanted, outputs[name])

    @property
    def sqnr_db(self) -> float | None:
        """Of the worst output; None where all are equal."""
        found = [comparer.result().sqnr_db for comparer in self._comparers.values()]
        return min((each for each in found if each is not None), default=None)

    @property
    def cosine(self) -> float:
        """Of the worst output."""
        return min(comparer.result().cosine for comparer in self._comparers.values())
