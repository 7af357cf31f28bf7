"""Objects in pictures, as a person is told of them: read, listed, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from mobileq.page import Page
from mobileq.spec import ModelSpec, Spec
from mobileq.spec.decode import DecodeSpec
from mobileq.tasks.base import Outputs
from mobileq.tasks.prediction import PicturePrediction, PredictionRun

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample
    from mobileq.tasks.detect.detections import Detections
    from mobileq.tasks.detect.nms import Thresholds
    from mobileq.vision.arrays import ByteArray


class DetectedObject(Spec, frozen=True, kw_only=True):
    """Box in pixels of the picture."""

    label: str
    class_id: int
    score: float
    xyxy: tuple[float, ...]

    @property
    def cells(self) -> tuple[str, str, str]:
        """As a row of a table."""
        return self.label, f"{self.score:.3f}", ", ".join(f"{value:.0f}" for value in self.xyxy)


class PictureDetections(PicturePrediction, frozen=True, kw_only=True):
    """What was found in one picture at the display thresholds, see `PicturePrediction`."""

    columns: ClassVar[tuple[str, ...]] = ("class", "score", "box: left, top, right, bottom")
    thing: ClassVar[str] = "object"

    objects: tuple[DetectedObject, ...]

    @property
    def items(self) -> tuple[DetectedObject, ...]:
        """The objects."""
        return self.objects

    @property
    def counted(self) -> tuple[str, ...]:
        """Their classes."""
        return tuple(each.label for each in self.objects)

    @property
    def xyxy(self) -> NDArray[Any]:
        """The boxes: float32 [N, 4], left, top, right, bottom in pixels of the picture."""
        import numpy as np

        return np.array([found.xyxy for found in self.objects], np.float32).reshape(-1, 4)

    @property
    def score(self) -> NDArray[Any]:
        """float32 [N], falling."""
        import numpy as np

        return np.array([found.score for found in self.objects], np.float32)

    @property
    def class_id(self) -> NDArray[Any]:
        """int64 [N]."""
        import numpy as np

        return np.array([found.class_id for found in self.objects], np.int64)

    def draw(self) -> ByteArray:
        """The picture with its boxes: uint8 [H, W, 3], RGB.

        Raises:
            InputError: Its file is not there any more.
        """
        from mobileq.tasks.detect.detections import Detections
        from mobileq.tasks.detect.draw import draw_detections

        found = Detections(xyxy=self.xyxy, score=self.score, class_id=self.class_id)
        names = {each.class_id: each.label for each in self.objects}
        labels = [names.get(index, "") for index in range(max(names, default=-1) + 1)]
        return draw_detections(self.picture(), found, labels)


class DetectionRun(PredictionRun[PictureDetections], frozen=True, kw_only=True):
    """What `detect` prints; `coco` is where it wrote COCO results."""

    coco: str | None = None

    def tell(self, page: Page) -> None:
        """Objects and files."""
        super().tell(page)
        if self.coco:
            page.line(f"COCO results: {self.coco}")


class Found(NamedTuple):
    """In pixels of the picture, by score."""

    shown: Detections
    ranked: Detections | None = None
    """At the thresholds of a score, where somebody wants them."""


class DetectPredictor:
    """See `mobileq.tasks.base.Predictor`."""

    def __init__(
        self,
        spec: ModelSpec,
        decode: DecodeSpec,
        shown: Thresholds,
        ranked: Thresholds | None = None,
    ) -> None:
        self._spec, self._decode = spec, decode
        self._thresholds = (shown,) if ranked is None else (shown, ranked)

    def read(self, outputs: Outputs, sample: Sample) -> Found:
        """Decoded once for all thresholds."""
        from mobileq.tasks.detect.decode.arrays import picture_outputs
        from mobileq.tasks.detect.postprocess import postprocess_each

        # A model of several pictures at a time has this one in every row.
        own = picture_outputs(outputs, 0, self._spec.batch)
        transform = sample.pictures[0].transform
        return Found(*postprocess_each(self._decode, own, transform, self._thresholds))

    def draw(self, image: ByteArray, answer: Found) -> ByteArray:
        """Boxes with labels and scores."""
        from mobileq.tasks.detect.draw import draw_detections

        return draw_detections(image, answer.shown, self._spec.labels)

    def told(
        self, answer: Found, image: str, frame: int | None, drawn: str | None
    ) -> PictureDetections:
        """Those to be shown."""
        found = answer.shown
        objects = tuple(
            DetectedObject(
                label=self._spec.labels[class_id],
                class_id=int(class_id),
                score=round(float(score), 5),
                xyxy=tuple(round(float(value), 2) for value in box),
            )
            for box, score, class_id in zip(found.xyxy, found.score, found.class_id, strict=True)
        )
        return PictureDetections(image=image, frame=frame, objects=objects, drawn=drawn)
