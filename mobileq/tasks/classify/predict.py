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
    from mobileq.tasks.classify.classes import TopClasses
    from mobileq.vision.arrays import ByteArray


class PredictedClass(Spec, frozen=True, kw_only=True):
    """One class and how probable it is, 0 to 1."""

    label: str
    class_id: int
    probability: float

    @property
    def cells(self) -> tuple[str, str]:
        """As a row of a table."""
        return self.label, f"{self.probability:.3f}"


class PictureClasses(PicturePrediction, frozen=True, kw_only=True):
    """The best classes of one picture, the best first, see `PicturePrediction`."""

    columns: ClassVar[tuple[str, ...]] = ("class", "probability")
    thing: ClassVar[str] = "class"

    classes: tuple[PredictedClass, ...]

    @property
    def items(self) -> tuple[PredictedClass, ...]:
        """The classes."""
        return self.classes

    @property
    def counted(self) -> tuple[str, ...]:
        """The best one."""
        return tuple(each.label for each in self.classes[:1])

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

        shares = [(each.label, each.probability) for each in self.classes]
        return draw_classes(self.picture(), shares)


class ClassifyPredictor:
    """See `mobileq.tasks.base.Predictor`."""

    def __init__(self, task: Task, labels: Sequence[str], limits: Limits) -> None:
        self._task, self._labels, self._limits = task, labels, limits

    def read(self, outputs: Outputs, sample: Sample) -> TopClasses:
        """Within the limits; where there are none, as many as are drawn."""
        from mobileq.tasks.classify.classes import SHOWN

        answer: TopClasses = self._task.read(outputs, sample, "shown")[0]
        return answer.within(self._limits.top or SHOWN, self._limits.score or 0.0)

    def draw(self, image: ByteArray, answer: TopClasses) -> ByteArray:
        """Each class with a bar as long as it is probable."""
        from mobileq.tasks.classify.draw import draw_classes

        return draw_classes(image, answer.named(self._labels))

    def told(
        self, answer: TopClasses, image: str, frame: int | None, drawn: str | None
    ) -> PictureClasses:
        """All of them."""
        named = zip(answer.class_id, answer.named(self._labels), strict=True)
        classes = tuple(
            PredictedClass(label=label, class_id=int(class_id), probability=round(share, 6))
            for class_id, (label, share) in named
        )
        return PictureClasses(image=image, frame=frame, classes=classes, drawn=drawn)
