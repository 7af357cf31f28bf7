"""Made-up outputs of each head, with boxes that are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from mobileq.spec.decode import DecodeSpec, HeadOutput, OutputRole

WIDTH, HEIGHT, CLASSES = 96, 64, 7


STRIDES = (8, 16, 32)


CELLS = {8: (8, 12), 16: (4, 6), 32: (2, 3), 64: (1, 2)}


PARTS: dict[OutputRole, int] = {
    "box_regression": 4,
    "objectness_logits": 1,
    "class_logits": CLASSES,
}


ANCHORS_IN_ALL = sum(CELLS[s][0] * CELLS[s][1] for s in STRIDES)


@dataclass(frozen=True)
class Head:
    """A decode specification and outputs that go with it, in the model's order of axes."""

    decode: DecodeSpec
    outputs: dict[str, np.ndarray]


def heads(seed: int) -> Iterator[tuple[str, Head]]:
    """Every family, decoded and raw, with random values that give a few dozen detections."""
    numbers = np.random.default_rng(seed)
    yield "yolov5", decoded("yolov5", objectness_rows(numbers))
    yield "yolov5-raw", raw_yolov5(numbers)
    yield "yolov8", decoded("yolov8", box_rows(numbers).transpose(0, 2, 1))
    yield "yolov8-normalized", normalized_yolov8(numbers)
    yield "yolov8-raw", distances("yolov8", numbers, 16, "class_logits")
    yield "yolov8-bins", distances("yolov8", numbers, 4, "class_logits", (0.0, 0.945, 2.1, 2.9))
    yield "yolov8-corner", corner(numbers)
    yield "yolov8-regression", distances("yolov8", numbers, 1, "class_logits")
    yield "yolox", decoded("yolox", grid_rows(numbers), strides=STRIDES)
    yield "yolox-boxes", decoded("yolox", objectness_rows(numbers))
    yield "yolox-raw", raw_yolox(numbers)
    yield "nanodet", decoded("nanodet", nanodet_rows(numbers), strides=STRIDES, reg_max=8)
    yield "nanodet-branches", distances("nanodet", numbers, 8, "class_scores")
    yield "nanodet-on-threshold", on_threshold(numbers)
    yield "nanodet-raw", joint_nanodet(numbers)
    yield "picodet-raw", joint_nanodet(numbers, "picodet", (*STRIDES, 64))
    yield "end2end", decoded("end2end", end2end_rows(numbers), box_format="xyxy")
    yield "end2end-raw", distances("end2end", numbers, 16, "class_logits")
    yield "end2end-queries", queries(numbers)
    yield "split", split(numbers)
    yield "split-classes-first", split_classes_first(numbers)
    yield "split-logits", split(numbers, "class_logits")
    yield "ssd", ssd(numbers)
    yield "end2end-regression", distances("end2end", numbers, 1, "class_logits")
    yield "yolov5-apart", raw_yolov5(numbers, apart=True)


def decoded(kind, rows: np.ndarray, **fields) -> Head:
    outputs = (HeadOutput(name="output 0", role="predictions"),)
    spec = DecodeSpec(kind=kind, class_count=CLASSES, outputs=outputs, **fields)
    return Head(spec, {"output 0": rows.astype(np.float32)})


def queries(numbers) -> Head:
    """As a raw RT-DETR gives them."""
    outputs = (
        HeadOutput(name="boxes", role="boxes"),
        HeadOutput(name="logits", role="class_logits"),
    )
    spec = DecodeSpec(
        kind="end2end", class_count=CLASSES, outputs=outputs, head="raw", box_unit="normalized"
    )
    boxes = cxcywh(numbers, 60) / (WIDTH, HEIGHT, WIDTH, HEIGHT)
    found = {"boxes": boxes.astype(np.float32), "logits": logits(numbers, 1, 60, CLASSES)}
    return Head(spec, found)


def split(numbers, role="class_scores") -> Head:
    """As YOLO-NAS gives them."""
    outputs = HeadOutput(name="boxes", role="boxes"), HeadOutput(name="classes", role=role)
    spec = DecodeSpec(kind="split", class_count=CLASSES, outputs=outputs, box_format="xyxy")
    rows, count = end2end_rows(numbers)[:, :ANCHORS_IN_ALL], ANCHORS_IN_ALL
    draw = scores if role == "class_scores" else logits
    found = {"boxes": rows[:, :, :4], "classes": draw(numbers, 1, count, CLASSES)}
    return Head(spec, {name: value.astype(np.float32) for name, value in found.items()})


def split_classes_first(numbers) -> Head:
    """Scores as PP-YOLOE's, and boxes as YOLOv4's."""
    head = split(numbers)
    boxes = head.outputs["boxes"][:, :, np.newaxis] / np.float32((WIDTH, HEIGHT, WIDTH, HEIGHT))
    found = {"boxes": boxes, "classes": head.outputs["classes"].transpose(0, 2, 1).copy()}
    return Head(msgspec.structs.replace(head.decode, box_unit="normalized"), found)


def scores(numbers, *shape: int) -> np.ndarray:
    """Mostly low, some high, as a detector gives them."""
    return numbers.random(shape) ** 4


def logits(numbers, *shape: int) -> np.ndarray:
    return numbers.normal(-2.0, 2.0, shape).astype(np.float32)


def cxcywh(numbers, count: int) -> np.ndarray:
    centre = numbers.random((1, count, 2)) * (WIDTH, HEIGHT)
    return np.concatenate([centre, numbers.random((1, count, 2)) * 40 + 2], axis=2)


def box_rows(numbers) -> np.ndarray:
    count = ANCHORS_IN_ALL
    return np.concatenate([cxcywh(numbers, count), scores(numbers, 1, count, CLASSES)], axis=2)


def objectness_rows(numbers) -> np.ndarray:
    count = ANCHORS_IN_ALL
    box = cxcywh(numbers, count)
    return np.concatenate([box, numbers.random((1, count, 1 + CLASSES))], axis=2)


def grid_rows(numbers) -> np.ndarray:
    rows = objectness_rows(numbers)
    rows[:, :, :4] = numbers.normal(0.3, 0.6, (1, ANCHORS_IN_ALL, 4))
    return rows


def nanodet_rows(numbers) -> np.ndarray:
    count = ANCHORS_IN_ALL
    spread = numbers.normal(0, 2, (1, count, 32))
    return np.concatenate([scores(numbers, 1, count, CLASSES), spread], axis=2)


def end2end_rows(numbers) -> np.ndarray:
    corner = numbers.random((1, 300, 2)) * (WIDTH - 20, HEIGHT - 20)
    size = numbers.random((1, 300, 2)) * 40 + 2
    score = np.sort(scores(numbers, 1, 300, 1), axis=1)[:, ::-1]
    class_id = numbers.integers(-1, CLASSES + 1, (1, 300, 1))
    return np.concatenate([corner, corner + size, score, class_id], axis=2)


def normalized_yolov8(numbers) -> Head:
    rows = box_rows(numbers)
    rows[:, :, :4] /= (WIDTH, HEIGHT, WIDTH, HEIGHT)
    return decoded("yolov8", rows.transpose(0, 2, 1), box_unit="normalized")


def raw_yolov5(numbers, apart: bool = False) -> Head:
    """`apart`: a tensor for each role, not one for all."""
    values = PARTS if apart else {"predictions": 5 + CLASSES}
    outputs = tuple(
        HeadOutput(name=f"{role}{s}", role=role, stride=s) for s in STRIDES for role in values
    )
    spec = DecodeSpec(
        kind="yolov5",
        class_count=CLASSES,
        head="raw",
        strides=STRIDES,
        anchors=(
            ((10, 13), (16, 30), (33, 23)),
            ((30, 61), (62, 45), (59, 119)),
            ((116, 90), (156, 198)),
        ),
        outputs=outputs,
    )
    found = {
        f"{role}{s}": logits(numbers, 1, len(anchors) * count, *CELLS[s]) + np.float32(1.5)
        for s, anchors in zip(STRIDES, spec.anchors, strict=True)
        for role, count in values.items()
    }
    return Head(spec, found)


def raw_yolox(numbers) -> Head:
    outputs = tuple(
        HeadOutput(name=f"{role}{s}", role=role, stride=s) for s in STRIDES for role in PARTS
    )
    spec = DecodeSpec(
        kind="yolox", class_count=CLASSES, head="raw", strides=STRIDES, outputs=outputs
    )
    values = {
        f"{role}{s}": logits(numbers, 1, count, *CELLS[s]) + np.float32(1.5)
        for s in STRIDES
        for role, count in PARTS.items()
    }
    return Head(spec, values)


def distances(kind, numbers, bins: int, role, distance_bins=()) -> Head:
    box_role = "box_distribution" if bins > 1 else "box_regression"
    outputs = tuple(
        HeadOutput(name=f"{name}{s}", role=of, stride=s)
        for s in STRIDES
        for name, of in (("box", box_role), ("class", role))
    )
    spec = DecodeSpec(
        kind=kind,
        class_count=CLASSES,
        head="decoded" if kind == "nanodet" else "raw",
        strides=STRIDES,
        reg_max=bins,
        distance_bins=distance_bins,
        outputs=outputs,
    )
    values = {}
    for s in STRIDES:
        rows, columns = CELLS[s]
        box = numbers.normal(0, 2, (1, 4 * bins, rows, columns))
        values[f"box{s}"] = (np.abs(box) if bins == 1 else box).astype(np.float32)
        if role == "class_scores":  # squeezed: [cells, classes] without a batch
            values[f"class{s}"] = scores(numbers, rows * columns, CLASSES).astype(np.float32)
        else:
            values[f"class{s}"] = logits(numbers, 1, CLASSES, rows, columns)
    return Head(spec, values)


def corner(numbers) -> Head:
    """Distances that do not begin in the middle of a cell, as DAMO-YOLO's."""
    head = distances("yolov8", numbers, 17, "class_logits")
    return Head(msgspec.structs.replace(head.decode, centre_offset=0.125), head.outputs)


def joint_nanodet(numbers, kind="nanodet", strides=STRIDES) -> Head:
    outputs = tuple(HeadOutput(name=f"p{s}", role="predictions", stride=s) for s in strides)
    spec = DecodeSpec(
        kind=kind,
        class_count=CLASSES,
        head="raw",
        strides=strides,
        reg_max=8,
        outputs=outputs,
    )
    values = {f"p{s}": logits(numbers, 1, CLASSES + 32, *CELLS[s]) for s in strides}
    return Head(spec, values)


def on_threshold(numbers) -> Head:
    """Scores in steps of 1/256, so that many are the threshold itself, in bytes too."""
    head = distances("nanodet", numbers, 8, "class_scores")
    for s in STRIDES:
        steps = numbers.choice(
            [0, 20, 63, 64, 64, 65, 255], (len(head.outputs[f"class{s}"]), CLASSES)
        )
        steps[0, :2] = (0, 255)  # makes the scale 1/256
        head.outputs[f"class{s}"] = (steps / 256).astype(np.float32)
    return head


def ssd(numbers) -> Head:
    roles = ("boxes", "classes", "scores", "count")
    spec = DecodeSpec(
        kind="ssd",
        class_count=CLASSES,
        box_format="yxyx",
        box_unit="normalized",
        outputs=tuple(HeadOutput(name=role, role=role) for role in roles),
    )
    corner = numbers.random((1, 20, 2)) * 0.7
    values = {
        "boxes": np.concatenate([corner, corner + 0.05 + numbers.random((1, 20, 2)) * 0.4], 2),
        "classes": numbers.integers(-1, CLASSES + 1, (1, 20)),
        "scores": -np.sort(-numbers.random((1, 20))),
        "count": np.array([17.0]),
    }
    return Head(spec, {name: value.astype(np.float32) for name, value in values.items()})


def names(count: int) -> tuple[str, ...]:
    animals = ("cat", "dog", "owl", "tit", "hen", "cow", "fox")
    return (*animals, *(f"animal {index}" for index in range(count)))[:count]
