"""The one definition of how a picture becomes a tensor and how outputs become detections."""
