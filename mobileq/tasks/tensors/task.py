"""Outputs whose meaning nobody knows: there are no answers, and numbers are all that is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.errors import UsageError
from mobileq.spec import ModelSpec
from mobileq.tasks.base import Answer, Difference, Level, Limits, Outputs, Scored, Truth
from mobileq.tasks.noise import NoiseReference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample
    from mobileq.tasks.tensors.predict import TensorsPredictor

MEASURE = None
_NOTHING = Scored({}, lambda weights: weights[:, :0].sum(axis=1))


def bound(spec: ModelSpec) -> TensorsTask:
    """Takes any model."""
    return TensorsTask(spec)


class TensorsTask:
    """See `mobileq.tasks.base.Task`."""

    name = "tensors"
    measure = MEASURE
    error_of = "outputs"
    squashed: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {}
    sigmoids: tuple[str, ...] = ()
    roles: Mapping[str, str] = {}

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec

    def read(self, outputs: Outputs, sample: Sample, level: Level) -> tuple[Answer, ...]:
        """Nothing."""
        return ()

    def reference(self, outputs: Outputs, *, answers: bool = False) -> NoiseReference:
        """Compares plain noise."""
        return NoiseReference(outputs)

    def row_scores(self, outputs: Outputs, axes: Mapping[str, int], count: int) -> None:
        """No column is known to be a score."""

    def agreement(self, reference: Sequence[Answer], found: Sequence[Answer]) -> Scored:
        """None."""
        return _NOTHING

    def difference(self, wanted: Answer, found: Answer) -> Difference:
        """None."""
        return Difference(0.0, ())

    def count(self, answer: Answer) -> int:
        """Nothing."""
        return 0

    def truth(self, annotations: Path, images: Path | None) -> Truth:
        """Raises UsageError."""
        raise UsageError(
            f"Labels say nothing about {self._spec.name}: what its outputs mean is not known.",
            "Leave out --annotations to compare numbers, or say it with --family or --spec.",
        )

    def score(self, truth: Truth, keys: Sequence[int], answers: Sequence[Answer]) -> Scored:
        """None."""
        return _NOTHING

    def predictor(self, limits: Limits) -> TensorsPredictor:
        """Tells shapes and ranges.

        Raises:
            UsageError: There are limits, and nothing that they could be of.
        """
        from mobileq.tasks.tensors.predict import TensorsPredictor

        if limits != Limits():
            raise UsageError(
                f"What the outputs of {self._spec.name} mean is not known: nothing has a score.",
                "Leave out --score and --top, or say it with --family or --spec.",
            )
        return TensorsPredictor(self._spec)

    def golden(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """Outputs are compared anyway."""
        return {}
