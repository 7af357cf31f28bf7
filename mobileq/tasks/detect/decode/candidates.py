"""What decoding gives: boxes that still compete, or boxes that the model has decided on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobileq.vision.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Candidates:
    """N boxes in model-input pixels, in the order of the model's anchors.

    Either `scores` is given (one score per class: duplicates must still be suppressed), or
    `score` and `class_id` are (the model chose already).

    Attributes:
        xyxy: float32 [N, 4].
        scores: float32 [N, C].
        score: float32 [N].
        class_id: int64 [N].
        cells: int64 [N]: which of the model's anchors they are; None where all are there, or nobody
            says.

    Raises:
        ValueError: The shapes do not belong together.
    """

    xyxy: FloatArray
    scores: FloatArray | None = None
    score: FloatArray | None = None
    class_id: IntArray | None = None
    cells: IntArray | None = None

    def __post_init__(self) -> None:
        count = self.xyxy.shape[0]
        if self.xyxy.shape != (count, 4):
            raise ValueError(f"xyxy has shape {self.xyxy.shape}, expected [N, 4]")
        if self.scores is not None:
            if self.score is not None or self.class_id is not None:
                raise ValueError("give scores, or score and class_id, not both")
            if self.scores.ndim != 2 or self.scores.shape[0] != count:
                raise ValueError(f"scores has shape {self.scores.shape}, expected ({count}, C)")
        elif self.score is None or self.class_id is None:
            raise ValueError("give scores, or score and class_id")
        elif self.score.shape != (count,) or self.class_id.shape != (count,):
            raise ValueError(f"score and class_id must have shape ({count},)")

    @property
    def needs_nms(self) -> bool:
        """Whether boxes of one object may still be among them more than once."""
        return self.scores is not None

    def __len__(self) -> int:
        return int(self.xyxy.shape[0])


def scored(xyxy: FloatArray, scores: FloatArray, cells: IntArray | None = None) -> Candidates:
    """Candidates that need non-maximum suppression, as float32."""
    return Candidates(
        xyxy=np.ascontiguousarray(xyxy, np.float32),
        scores=np.ascontiguousarray(scores, np.float32),
        cells=cells,
    )
