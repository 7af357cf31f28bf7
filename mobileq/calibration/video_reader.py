"""The child's side of `video_frames`: OpenCV's decoder, which reads a video forward."""

from __future__ import annotations

from typing import Any

from mobileq.external.framing import Arrays, Fields


class VideoReader:
    """One video. Methods as `mobileq.external.child` calls them."""

    def __init__(self) -> None:
        self._capture: Any = None

    def open(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Open the file `path`; gives `frames_per_second`, 0 where the file has none."""
        import cv2

        self._capture = cv2.VideoCapture(fields["path"])
        return {"frames_per_second": float(self._capture.get(cv2.CAP_PROP_FPS))}, {}

    def count(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """`count` of the frames up to the end, none of them decoded."""
        count = 0
        while self._capture.grab():
            count += 1
        return {"count": count}, {}

    def read(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """The `frame` after `skipped` others, uint8 [H, W, 3] RGB: none where it is damaged, or
        where the video has `ended` before."""
        import cv2

        for _ in range(fields["skipped"] + 1):
            if not self._capture.grab():
                return {"ended": True}, {}
        decoded, frame = self._capture.retrieve()
        if not decoded or frame is None or frame.ndim != 3:
            return {"ended": False}, {}
        return {"ended": False}, {"frame": cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)}
