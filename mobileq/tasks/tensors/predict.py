"""Outputs whose meaning nobody knows, as a person is told of them: shapes, ranges, arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from mobileq.page import span
from mobileq.spec import ModelSpec, Spec
from mobileq.tasks.base import Outputs
from mobileq.tasks.prediction import PicturePrediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample


class PredictedTensor(Spec, frozen=True, kw_only=True):
    """One output. Smallest, largest and mean are of the values that are numbers; None where there
    are none."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    min: float | None
    max: float | None
    mean: float | None

    @property
    def cells(self) -> tuple[str, ...]:
        """As a row of a table."""
        values = "-" if self.min is None or self.max is None else span(self.min, self.max)
        mean = "-" if self.mean is None else f"{self.mean:.3g}"
        return self.name, self.dtype, str(list(self.shape)), values, mean


class PictureTensors(PicturePrediction, frozen=True, kw_only=True):
    """What a model gave for one picture, see `PicturePrediction`; `drawn` is the .npz file."""

    columns: ClassVar[tuple[str, ...]] = ("output", "type", "shape", "range", "mean")
    thing: ClassVar[str] = "output"
    made: ClassVar[str] = "Saved"

    outputs: tuple[PredictedTensor, ...]

    @property
    def items(self) -> tuple[PredictedTensor, ...]:
        """The outputs."""
        return self.outputs


class TensorsPredictor:
    """See `mobileq.tasks.base.Predictor`."""

    draw = None

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec

    def read(self, outputs: Outputs, sample: Sample) -> Outputs:
        """As they are; a model of several pictures at a time has this one in every row."""
        return {each.name: outputs[each.name] for each in self._spec.outputs}

    def told(
        self, answer: Outputs, image: str, frame: int | None, drawn: str | None
    ) -> PictureTensors:
        """Shapes and ranges."""
        outputs = tuple(_told(name, array) for name, array in answer.items())
        return PictureTensors(image=image, frame=frame, outputs=outputs, drawn=drawn)


def _told(name: str, array: NDArray[Any]) -> PredictedTensor:
    import numpy as np

    finite = array[np.isfinite(array)].astype(np.float64)
    some = finite.size > 0
    return PredictedTensor(
        name=name,
        dtype=str(array.dtype),
        shape=array.shape,
        min=float(finite.min()) if some else None,
        max=float(finite.max()) if some else None,
        mean=float(finite.mean()) if some else None,
    )
