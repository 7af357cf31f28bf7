"""Pictures and annotations on disk."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mobileq.tasks.detect.labels.dataset import GroundTruth, load_ground_truth


def write_pictures(folder: Path, *names: str, width: int = 20, height: int = 10) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / name), np.zeros((height, width, 3), np.uint8))
    return folder


def coco(**changes: Any) -> dict[str, Any]:
    """Three pictures; "c" has no boxes."""
    content: dict[str, Any] = {
        "info": {"year": 2017},
        "images": [
            {"id": 7, "file_name": "b.png", "width": 20, "height": 10, "license": 1},
            {"id": 3, "file_name": "a.png", "width": 20, "height": 10},
            {"id": 9, "file_name": "c.png"},
        ],
        "annotations": [
            {"image_id": 7, "category_id": 5, "bbox": [1, 2, 3.5, 4], "area": 9.5, "iscrowd": 1},
            {"image_id": 3, "category_id": 2, "bbox": [0, 0, 2, 3], "segmentation": [[0, 1]]},
        ],
        "categories": [{"id": 5, "name": "dog"}, {"id": 2, "name": "cat"}],
    }
    return content | changes


def load_coco(tmp_path: Path, content: dict[str, Any]) -> GroundTruth:
    (tmp_path / "instances.json").write_text(json.dumps(content))
    return load_ground_truth(tmp_path / "instances.json", tmp_path / "images")
