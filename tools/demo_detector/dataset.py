"""Sets of drawn images: the pool trained on, held-out images and the committed files.

Image `index` of a set depends on the seed, the set and the index alone, whichever process
draws it.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .network import IMAGE_SIZE
from .scenes import CLASS_NAMES, MAX_OBJECTS, Image, draw_scene

_JPEG_QUALITY = 85
_PAD_VALUE = 114
_CHUNK = 100
# COCO's own category ids start at 1 and so differ from the class indices
FIRST_CATEGORY_ID = 1


class Split(IntEnum):
    """Names a stream of random numbers; no two sets share an image."""

    TRAINING = 0
    CALIBRATION = 1
    VALIDATION = 2
    HELD_OUT = 3


@dataclass(frozen=True)
class Sample:
    """One image as it is on disk, and its labels.

    jpeg: the encoded image.
    image: uint8 [height, width, 3], BGR, decoded from `jpeg`.
    boxes: float32 [n, 4], xyxy in pixels.
    class_ids: int64 [n].
    """

    jpeg: bytes
    image: Image
    boxes: NDArray[np.float32]
    class_ids: NDArray[np.int64]


class Letterbox(NamedTuple):
    """How an image was fitted into the square: x' = x * scale + left, y' = y * scale + top."""

    scale: float
    left: int
    top: int


@dataclass(frozen=True)
class TrainingPool:
    """Letterboxed images with a fixed number of box slots.

    images: uint8 [N, 160, 160, 3], RGB.
    boxes: float32 [N, MAX_OBJECTS, 4], xyxy in letterboxed pixels, 0 in empty slots.
    class_ids: int32 [N, MAX_OBJECTS], -1 in empty slots.
    """

    images: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    class_ids: NDArray[np.int32]


def draw_sample(seed: int, split: Split, index: int) -> Sample:
    scene = draw_scene(np.random.default_rng([seed, split, index]))
    parameters = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    ok, encoded = cv2.imencode(".jpg", scene.image, parameters)
    if not ok:
        raise RuntimeError(f"OpenCV could not encode image {index} of {split.name}")
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return Sample(encoded.tobytes(), decoded, scene.boxes, scene.class_ids)


def letterbox(image: Image) -> tuple[Image, Letterbox]:
    """Fits an image into the network's square, centred on grey.  Keeps the channel order."""
    height, width = image.shape[:2]
    scale = min(IMAGE_SIZE / width, IMAGE_SIZE / height)
    new_width, new_height = round(width * scale), round(height * scale)
    left, top = (IMAGE_SIZE - new_width) // 2, (IMAGE_SIZE - new_height) // 2
    resized = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR_EXACT)
    canvas = np.full((IMAGE_SIZE, IMAGE_SIZE, 3), _PAD_VALUE, np.uint8)
    canvas[top : top + new_height, left : left + new_width] = resized
    return canvas, Letterbox(scale, left, top)


def draw_training_pool(seed: int, count: int, workers: int) -> TrainingPool:
    """Draws `count` letterboxed images in `workers` processes."""
    pool = _empty_pool(count)
    starts = range(0, count, _CHUNK)
    stops = [min(start + _CHUNK, count) for start in starts]
    # forking after TensorFlow has started its threads can hang
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context) as executor:
        chunks = executor.map(_draw_chunk, [seed] * len(starts), starts, stops)
        for start, stop, chunk in zip(starts, stops, chunks, strict=True):
            pool.images[start:stop] = chunk.images
            pool.boxes[start:stop] = chunk.boxes
            pool.class_ids[start:stop] = chunk.class_ids
    return pool


def _empty_pool(count: int) -> TrainingPool:
    return TrainingPool(
        images=np.empty((count, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8),
        boxes=np.zeros((count, MAX_OBJECTS, 4), np.float32),
        class_ids=np.full((count, MAX_OBJECTS), -1, np.int32),
    )


def _draw_chunk(seed: int, start: int, stop: int) -> TrainingPool:
    # the processes share the cores already
    cv2.setNumThreads(1)
    pool = _empty_pool(stop - start)
    for row, index in enumerate(range(start, stop)):
        sample = draw_sample(seed, Split.TRAINING, index)
        fitted, (scale, left, top) = letterbox(sample.image)
        objects = len(sample.boxes)
        offset = np.array([left, top, left, top], np.float32)
        pool.images[row] = fitted[..., ::-1]
        pool.boxes[row, :objects] = sample.boxes * np.float32(scale) + offset
        pool.class_ids[row, :objects] = sample.class_ids
    return pool


def file_name(index: int) -> str:
    return f"{index:03d}.jpg"


def coco_annotations(samples: Iterable[Sample]) -> dict[str, object]:
    """The samples as a COCO detection data set; image ids are positions counted from 1."""
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for index, sample in enumerate(samples):
        height, width = sample.image.shape[:2]
        image_id = index + 1
        images.append(
            {"id": image_id, "file_name": file_name(index), "width": width, "height": height}
        )
        for box, class_id in zip(sample.boxes.tolist(), sample.class_ids.tolist(), strict=True):
            x1, y1, x2, y2 = box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": class_id + FIRST_CATEGORY_ID,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": 0,
                }
            )
    categories = [
        {"id": class_id + FIRST_CATEGORY_ID, "name": name, "supercategory": "shape"}
        for class_id, name in enumerate(CLASS_NAMES)
    ]
    return {
        "info": {"description": "Drawn shapes for mobileq's demonstration", "version": "1.0"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }


def write_split(folder: Path, split: Split, seed: int, count: int) -> None:
    """Writes images, YOLO labels and COCO annotations of one split below `folder`."""
    name = split.name.lower()
    image_folder = folder / name / "images"
    label_folder = folder / name / "labels"
    image_folder.mkdir(parents=True, exist_ok=True)
    label_folder.mkdir(parents=True, exist_ok=True)
    samples = [draw_sample(seed, split, index) for index in range(count)]
    for index, sample in enumerate(samples):
        image_path = image_folder / file_name(index)
        image_path.write_bytes(sample.jpeg)
        (label_folder / image_path.name).with_suffix(".txt").write_text(_yolo_labels(sample))
    annotations = json.dumps(coco_annotations(samples), indent=1)
    (folder / f"{name}.json").write_text(annotations + "\n")


def read_split(folder: Path, split: Split) -> list[Sample]:
    """Reads back what `write_split` wrote, labels from the COCO annotations."""
    name = split.name.lower()
    truth = json.loads((folder / f"{name}.json").read_text())
    samples = []
    for entry in truth["images"]:
        encoded = (folder / name / "images" / entry["file_name"]).read_bytes()
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        objects = [item for item in truth["annotations"] if item["image_id"] == entry["id"]]
        boxes = np.array([item["bbox"] for item in objects], np.float32)
        boxes[:, 2:] += boxes[:, :2]
        class_ids = np.array([item["category_id"] - FIRST_CATEGORY_ID for item in objects])
        samples.append(Sample(encoded, image, boxes, class_ids))
    return samples


def _yolo_labels(sample: Sample) -> str:
    """Lines of class, centre x, centre y, width, height, as shares of the image's sides."""
    height, width = sample.image.shape[:2]
    lines = []
    for (x1, y1, x2, y2), class_id in zip(sample.boxes, sample.class_ids, strict=True):
        shares = (
            (x1 + x2) / 2 / width,
            (y1 + y2) / 2 / height,
            (x2 - x1) / width,
            (y2 - y1) / height,
        )
        lines.append(" ".join([str(class_id), *(f"{share:.6f}" for share in shares)]) + "\n")
    return "".join(lines)


def write_data_yaml(folder: Path) -> None:
    """Writes the data set's description in Ultralytics' form."""
    names = "".join(f"  {class_id}: {name}\n" for class_id, name in enumerate(CLASS_NAMES))
    (folder / "data.yaml").write_text(
        "path: .\n"
        "train: calibration/images\n"
        "val: validation/images\n"
        f"nc: {len(CLASS_NAMES)}\n"
        f"names:\n{names}"
    )
