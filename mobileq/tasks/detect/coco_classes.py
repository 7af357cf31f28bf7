"""The class names of COCO (Lin et al., "Microsoft COCO: Common Objects in Context", 2014)."""

from __future__ import annotations

COCO80 = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
"""The 80 classes with instances, numbered as detectors do."""

_UNUSED_IDS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
"""Category ids between 1 and 90 that COCO gave no instances."""


def _with_gaps() -> tuple[str, ...]:
    names = iter(COCO80)
    return tuple(f"unused {i}" if i in _UNUSED_IDS else next(names) for i in range(1, 91))


COCO91 = _with_gaps()
"""TensorFlow's SSD numbering: index = COCO's category id - 1, with gaps, 90 entries. (The 91 in the
usual name counts the background class.)"""

BUILTIN_LABELS = {"coco80": COCO80, "coco91": COCO91}
