"""Classes of pictures, as a person is told of them: read, listed, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mobileq.spec import Spec
from mobileq.tasks.base import Limits, Outputs, Task
from mobileq.tasks.prediction import PicturePrediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample
    from mobileq.vision.arrays import ByteArray


class PredictedClass(Spec, frozen=True, kw_only=True):
    """One class and how probable it is, 0 to 1."""

    label: str
    class_id: int
    probability: float
    head: str | None = None
    """Which question it answers, where the model answers several."""

    @property
    def told(self) -> str:
        """`age: 20 to 29`."""
        return self.label if self.head is None else f"{self.head}: {self.label}"

    @property
    def cells(self) -> tuple[str, str]:
        """As a row of a table."""
        return self.told, f"{self.probability:.3f}"


class PictureClasses(PicturePrediction, frozen=True, kw_only=True):
    """The best classes of one picture, the best first, head by head where there are several; see
    `PicturePrediction`."""

    columns: ClassVar[tuple[str, ...]] = ("class", "probability")
    thing: ClassVar[str] = "class"

    classes: tuple[PredictedClass, ...]

    @property
    def items(self) -> tuple[PredictedClass, ...]:
        """The classes."""
        return self.classes

    @property
    def counted(self) -> tuple[str, ...]:
        """The best one of each head."""
        best: dict[str | None, str] = {}
        for each in self.classes:
            best.setdefault(each.head, each.told)
        return tuple(best.values())

    @property
    def class_id(self) -> NDArray[Any]:
        """int64 [N]."""
        import numpy as np

        return np.array([each.class_id for each in self.classes], np.int64)

    @property
    def probability(self) -> NDArray[Any]:
        """float32 [N], falling."""
        import numpy as np

        return np.array([each.probability for each in self.classes], np.float32)

    def draw(self) -> ByteArray:
        """The picture with its classes at its bottom: uint8 [H, W, 3], RGB.

        Raises:
            InputError: Its file is not there any more.
        """
        from mobileq.tasks.classify.draw import draw_classes

        shares = [(each.told, each.probability) for each in self.classes]
        return draw_classes(self.picture(), shares)


class ClassifyPredictor:
    """See `mobileq.tasks.base.Predictor`."""

    def __init__(
        self, task: Task, labels: Sequence[str], heads: Sequence[str], limits: Limits
    ) -> None:
        self._task, self._labels, self._limits = task, labels, limits
        self._heads: Sequence[str | None] = heads if len(heads) > 1 else (None,)

    def read(self, outputs: Outputs, sample: Sample) -> tuple[PredictedClass, ...]:
        """Within the limits; where there are none, as many of each head as are drawn."""
        from mobileq.tasks.classify.classes import SHOWN

        count, lowest = self._limits.top or SHOWN, self._limits.score or 0.0
        answer = self._task.read(outputs, sample, "shown")[0]
        return tuple(
            PredictedClass(
                label=self._labels[class_id],
                class_id=int(class_id),
                probability=round(float(share), 6),
                head=head,
            )
            for head, best in zip(self._heads, answer, strict=True)
            for class_id, share in best.within(count, lowest)
        )

    def draw(self, image: ByteArray, answer: tuple[PredictedClass, ...]) -> ByteArray:
        """Each class with a bar as long as it is probable."""
        from mobileq.tasks.classify.draw import draw_classes

        return draw_classes(image, [(each.told, each.probability) for each in answer])

    def told(
        self, answer: tuple[PredictedClass, ...], image: str, frame: int | None, drawn: str | None
    ) -> PictureClasses:
        """All of them."""
        return PictureClasses(image=image, frame=frame, classes=answer, drawn=drawn)
