"""Labelled pictures, for accuracy: COCO annotations or YOLO labels, as one COCO dict.

Files come from anywhere; whatever they hold, they are used or refused in one sentence.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobileq.calibration.data_yaml import read_data_yaml
from mobileq.calibration.image_files import ImageFiles, data_yaml_source, folder_source
from mobileq.calibration.sources import some
from mobileq.errors import InputError, UsageError
from mobileq.tasks.detect.labels.coco_annotations import CocoBox, CocoImage, read_coco
from mobileq.tasks.detect.labels.yolo_labels import LabelBox, label_path, read_labels


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """What is in the pictures.

    `coco` is a COCO dict ("images", "annotations", "categories") of the pictures in `images` and
    no others; boxes are [x, y, width, height] in pixels of the picture as `read_image` gives it.
    Category ids are those of the COCO file; from YOLO labels they are the class indices, from 0.

    `images` holds (image id, file), sorted by id. `categories` holds (id, name), sorted by id.
    `missing` are annotated pictures that the folder does not have, `skipped` holds (name, reason)
    of pictures that cannot be used, `notices` are sentences for the person.
    """

    coco: dict[str, Any]
    images: tuple[tuple[int, Path], ...]
    categories: tuple[tuple[int, str], ...]
    missing: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def content(self) -> object:
        """All that the labels say."""
        return self.coco


def load_ground_truth(
    annotations: Path, images: Path | None = None, split: str = "val"
) -> GroundTruth:
    """Read annotations and find their pictures.

    Args:
        annotations: A COCO JSON file (instances), or a `data.yaml` with YOLO label files: those
            of `.../images/a.jpg` are in `.../labels/a.txt`.
        images: Folder of the pictures. Needed for COCO; for a `data.yaml`, the split if None.
        split: Of a `data.yaml`.

    Raises:
        UsageError: There is nothing at one of the paths, or `images` is needed and missing.
        InputError: A file cannot be used, no picture of the annotations is in the folder, or the
            pictures are not of the size that the annotations state.
    """
    if not os.path.lexists(annotations):
        raise UsageError(f"There is no file {annotations}.", "Check the path to the annotations.")
    if images is not None and not images.is_dir():
        raise UsageError(f"There is no folder {images}.", "Give the folder of the pictures.")
    if annotations.suffix.lower() in (".yaml", ".yml"):
        return _from_data_yaml(annotations, images, split)
    if images is None:
        raise UsageError(
            f"Where the pictures of {annotations} are is not known.", "Add --eval-images FOLDER."
        )
    return _from_coco(annotations, images)


def image_dimensions(path: Path) -> tuple[int, int]:
    """Width and height of a picture as `read_image` gives it, in pixels.

    From the header, unless something says that the picture may be turned when it is decoded (EXIF)
    or its header is of an unknown kind: then it is decoded.

    Raises:
        InputError: The file cannot be read, or is no picture.
    """
    from mobileq.vision.image_file import header_dimensions, read_image, read_picture

    content = read_picture(path)
    dimensions = header_dimensions(content)
    if dimensions is None or any(mark in content for mark in (b"Exif", b"EXIF", b"eXIf")):
        height, width, _ = read_image(path).shape
        return width, height
    return dimensions


def _from_coco(annotations: Path, folder: Path) -> GroundTruth:
    content = read_coco(annotations)
    source = folder_source(folder)
    positions, missing = _find(content.images, source)
    if not positions:
        raise InputError(
            f"None of the {len(content.images)} pictures of {annotations} is in {folder}.",
            "Give the folder that holds the annotated pictures.",
        )
    twice = [source.id(at) for at, count in Counter(positions.values()).items() if count > 1]
    if twice:
        raise InputError(
            f"{annotations} has several entries for {some(twice)} of {folder}.",
            "Remove all but one of them.",
        )
    paths = {image_id: source.path(position) for image_id, position in positions.items()}
    images, skipped = _measure(paths, folder)
    _check_dimensions(content.images, images, annotations)
    kept = {image["id"] for image in images}
    boxes = [_coco_box(box) for box in content.annotations if box.image_id in kept]
    notices = list(source.notices)
    if missing:
        notices.append(f"{len(missing)} annotated pictures are not in {folder}: {some(missing)}.")
    extra = source.count - len(positions)
    if extra:
        notices.append(f"{extra} pictures of {folder} have no annotations and are left out.")
    return _ground_truth(
        images,
        boxes,
        {category.id: category.name for category in content.categories},
        paths,
        missing=tuple(missing),
        skipped=skipped,
        notices=tuple(notices),
    )


def _find(images: list[CocoImage], source: ImageFiles) -> tuple[dict[int, int], list[str]]:
    """Position in the folder of each picture, by its id; and the names of those not there.

    By the path that the annotation states, else by the file name alone where only one has it.
    """
    by_path = {source.id(position): position for position in range(source.count)}
    names = Counter(path.rpartition("/")[2] for path in by_path)
    by_name = {
        path.rpartition("/")[2]: position
        for path, position in by_path.items()
        if names[path.rpartition("/")[2]] == 1
    }
    positions, missing = {}, []
    for image in sorted(images, key=lambda image: image.id):
        stated = image.file_name.replace("\\", "/")
        position = by_path.get(stated, by_name.get(stated.rpartition("/")[2]))
        if position is None:
            missing.append(image.file_name)
        else:
            positions[image.id] = position
    return positions, missing


def _measure(
    paths: dict[int, Path], root: Path
) -> tuple[list[dict[str, Any]], tuple[tuple[str, str], ...]]:
    """The "images" of a COCO dict, and (name, reason) of those that are no pictures."""
    images, skipped = [], []
    for image_id, path in paths.items():
        try:
            width, height = image_dimensions(path)
        except InputError as error:
            skipped.append((path.name, error.message.replace(str(path), path.name)))
            continue
        images.append({"id": image_id, "file_name": path.name, "width": width, "height": height})
    if not images:
        raise InputError(
            f"None of {len(paths)} pictures of {root} can be read: {skipped[0][1]}",
            "Replace the damaged files.",
        )
    return images, tuple(skipped)


def _check_dimensions(
    stated: list[CocoImage], images: list[dict[str, Any]], annotations: Path
) -> None:
    """Boxes of another size of the picture would only show as poor accuracy."""
    by_id = {image["id"]: image for image in images}
    for image in stated:
        actual = by_id.get(image.id)
        if actual is None or image.width is None or image.height is None:
            continue
        if (image.width, image.height) != (actual["width"], actual["height"]):
            raise InputError(
                f"{actual['file_name']} is {actual['width']} x {actual['height']} pixels, but "
                f"{annotations} says {image.width} x {image.height}.",
                "Give the pictures that were annotated, in their original size.",
            )


def _coco_box(box: CocoBox) -> dict[str, Any]:
    x, y, width, height = box.bbox
    return {
        "image_id": box.image_id,
        "category_id": box.category_id,
        "bbox": [x, y, width, height],
        "area": width * height if box.area is None else box.area,
        "iscrowd": int(box.iscrowd),
    }


def _from_data_yaml(file: Path, folder: Path | None, split: str) -> GroundTruth:
    data = read_data_yaml(file)
    if not data.names:
        raise InputError(f"{file} has no class names.", "Add `names:` to it.")
    source = data_yaml_source(data, split) if folder is None else folder_source(folder)
    paths = {position + 1: source.path(position) for position in range(source.count)}
    images, skipped = _measure(paths, folder or data.root)
    boxes: list[dict[str, Any]] = []
    unlabelled = []
    for image in images:
        path = paths[image["id"]]
        labels = read_labels(label_path(path), frozenset(data.names))
        if labels is None:
            unlabelled.append(path.name)
        boxes += [_yolo_box(label, image) for label in labels or ()]
    if len(unlabelled) == len(images):
        raise InputError(
            f"No picture has labels: there is no {label_path(paths[images[0]['id']])}.",
            "Put the label files into a folder `labels` beside `images`.",
        )
    notices = source.notices
    if unlabelled:
        notices += (
            f"{len(unlabelled)} pictures have no label file and count as empty: "
            f"{some(unlabelled)}.",
        )
    return _ground_truth(images, boxes, data.names, paths, skipped=skipped, notices=notices)


def _yolo_box(label: LabelBox, image: dict[str, Any]) -> dict[str, Any]:
    width, height = label.width * image["width"], label.height * image["height"]
    x = label.center_x * image["width"] - width / 2
    y = label.center_y * image["height"] - height / 2
    return {
        "image_id": image["id"],
        "category_id": label.class_id,
        "bbox": [x, y, width, height],
        "area": width * height,
        "iscrowd": 0,
    }


def _ground_truth(
    images: list[dict[str, Any]],
    boxes: list[dict[str, Any]],
    categories: dict[int, str],
    paths: dict[int, Path],
    *,
    missing: tuple[str, ...] = (),
    skipped: tuple[tuple[str, str], ...] = (),
    notices: tuple[str, ...] = (),
) -> GroundTruth:
    """Put it together; boxes are numbered from 1: pycocotools takes the id 0 for "no match"."""
    if not boxes:
        notices += ("The pictures hold no labelled objects, so there is no accuracy to measure.",)
    named = sorted(categories.items())
    return GroundTruth(
        coco={
            "images": images,
            "annotations": [{"id": number, **box} for number, box in enumerate(boxes, 1)],
            "categories": [{"id": key, "name": name} for key, name in named],
        },
        images=tuple((image["id"], paths[image["id"]]) for image in images),
        categories=tuple(named),
        missing=missing,
        skipped=skipped,
        notices=notices,
    )
