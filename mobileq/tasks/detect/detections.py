"""What was found in one picture: boxes, scores and classes as arrays of equal length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileq.vision.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Detections:
    """N boxes with one class each.

    Attributes:
        xyxy: float32 [N, 4], left, top, right, bottom in pixels. A coordinate is the distance
            from the picture's edge: a box over the whole of a picture is (0, 0, width, height).
        score: float32 [N], 0 to 1.
        class_id: int64 [N], index into the model's labels.

    Raises:
        ValueError: The shapes do not belong together.
    """

    xyxy: FloatArray
    score: FloatArray
    class_id: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyxy", np.asarray(self.xyxy, np.float32))
        object.__setattr__(self, "score", np.asarray(self.score, np.float32))
        object.__setattr__(self, "class_id", np.asarray(self.class_id, np.int64))
        if self.score.ndim != 1:
            raise ValueError(f"score has shape {self.score.shape}, expected [N]")
        count = self.score.shape[0]
        if self.xyxy.shape != (count, 4):
            raise ValueError(f"xyxy has shape {self.xyxy.shape}, expected ({count}, 4)")
        if self.class_id.shape != (count,):
            raise ValueError(f"class_id has shape {self.class_id.shape}, expected ({count},)")

    @classmethod
    def empty(cls) -> Detections:
        """No detections."""
        return cls(
            xyxy=np.zeros((0, 4), np.float32),
            score=np.zeros(0, np.float32),
            class_id=np.zeros(0, np.int64),
        )

    def __len__(self) -> int:
        return int(self.score.shape[0])

    def __getitem__(
        self, index: slice | BoolArray | npt.NDArray[np.intp] | list[int]
    ) -> Detections:
        """Those that a slice, a boolean mask or a list of indices picks, in that order."""
        chosen: Any = np.asarray(index, np.intp) if isinstance(index, list) else index
        return Detections(self.xyxy[chosen], self.score[chosen], self.class_id[chosen])

    def ordered(self) -> Detections:
        """By score, highest first; equal scores keep their order."""
        return self[np.argsort(-self.score, kind="stable")]
