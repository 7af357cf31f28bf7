"""Pictures on disk, and samples of them."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mobileq.calibration.samples import Sample, SampleSet, open_samples
from mobileq.spec import PreprocessSpec, TensorSpec

PREPROCESS = PreprocessSpec(width=16, height=8)


INPUT = TensorSpec(name="images", shape=(1, 3, 8, 16), dtype="float32", layout="NCHW")


def picture(seed: int, width: int = 20, height: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def write_pictures(folder: Path, names: list[str]) -> Path:
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / name), picture(seed))
    return folder


def tensor_of(sample: Sample) -> np.ndarray:
    (tensor,) = sample.feeds.values()
    return tensor


def image_of(sample: Sample) -> np.ndarray:
    (picture,) = sample.pictures
    assert picture.image is not None
    return picture.image


def open_(path: Path, **options: Any) -> SampleSet:
    return open_samples(path, PREPROCESS, (INPUT,), **options)
