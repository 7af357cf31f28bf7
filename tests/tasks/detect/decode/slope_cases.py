"""Small heads of all kinds and layouts, whose slopes are held against what decoding gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from mobileq.spec.decode import DecodeKind, DecodeSpec, HeadOutput, OutputRole

WIDTH, HEIGHT = 64, 32
STRIDES = (16, 32)
CELLS = {16: (2, 4), 32: (1, 2)}
ANCHORS = (((10.0, 13.0), (16.0, 30.0)), ((30.0, 61.0), (62.0, 45.0)))
ALL = 10
C, BINS = 3, 5
Shapes = dict[str, tuple[int, ...]]
Case = tuple[DecodeSpec, Shapes]


def _spec(kind: DecodeKind, head: Any, outputs: tuple[HeadOutput, ...], **more: Any) -> DecodeSpec:
    return DecodeSpec(kind=kind, class_count=C, outputs=outputs, head=head, **more)


def _convolutions(
    kind: DecodeKind, head: Any, values: dict[OutputRole, int], layout: str = "NCHW", **more: Any
) -> Case:
    """One output per stride and role, as the layout has it; "rows" is [cells, values]."""
    outputs, shapes = [], {}
    for stride, (h, w) in CELLS.items():
        for role, count in values.items():
            outputs.append(HeadOutput(name=f"{role}{stride}", role=role, stride=stride))
            laid = {"NCHW": (1, count, h, w), "NHWC": (1, h, w, count), "rows": (h * w, count)}
            shapes[f"{role}{stride}"] = laid[layout]
    return _spec(kind, head, tuple(outputs), strides=STRIDES, **more), shapes


def _rows(kind: DecodeKind, *shape: int, **more: Any) -> Case:
    out = HeadOutput(name="out", role="predictions")
    return _spec(kind, "decoded", (out,), **more), {"out": shape}


def _split(role: OutputRole, boxes: tuple[int, ...], scores: tuple[int, ...], **more: Any) -> Case:
    outputs = HeadOutput(name="boxes", role="boxes"), HeadOutput(name="scores", role=role)
    return _spec("split", "decoded", outputs, **more), {"boxes": boxes, "scores": scores}


YOLOX: dict[OutputRole, int] = {"box_regression": 4, "objectness_logits": 1, "class_logits": C}
APART = {role: 2 * count for role, count in YOLOX.items()}
SPLIT: dict[OutputRole, int] = {"class_logits": C, "box_distribution": 4 * BINS}
REGRESSION: dict[OutputRole, int] = {"class_logits": C, "box_regression": 4}
UNEVEN = (0.0, 0.9, 2.1, 3.0, 5.0)
CASES: dict[str, Case] = {
    "yolov5 raw": _convolutions(
        "yolov5", "raw", {"predictions": 2 * (5 + C)}, anchors=ANCHORS
    ),
    "yolov5 raw NHWC": _convolutions(
        "yolov5", "raw", {"predictions": 2 * (5 + C)}, "NHWC", anchors=ANCHORS
    ),
    "yolov5 raw apart": _convolutions("yolov5", "raw", APART, anchors=ANCHORS),
    "yolov5 raw apart NHWC": _convolutions("yolov5", "raw", APART, "NHWC", anchors=ANCHORS),
    "yolov5 decoded": _rows("yolov5", 1, 12, 5 + C),
    "yolov5 normalized yxyx": _rows(
        "yolov5", 1, 12, 5 + C, box_unit="normalized", box_format="yxyx"
    ),
    "yolov8 raw": _convolutions("yolov8", "raw", SPLIT, reg_max=BINS),
    "yolov8 raw NHWC": _convolutions("yolov8", "raw", SPLIT, "NHWC", reg_max=BINS),
    "yolov8 regression": _convolutions("yolov8", "raw", REGRESSION),
    "yolov8 uneven bins": _convolutions(
        "yolov8", "raw", SPLIT, reg_max=BINS, distance_bins=UNEVEN
    ),
    "yolov8 decoded": _rows("yolov8", 1, 4 + C, ALL),
    "yolov8 decoded rows xyxy": _rows("yolov8", 1, ALL, 4 + C, box_format="xyxy"),
    "yolov8 decoded no batch": _rows("yolov8", 4 + C, ALL, box_unit="normalized"),
    "yolov8 decoded square": _rows("yolov8", 4 + C, 4 + C),
    "yolox raw": _convolutions("yolox", "raw", YOLOX),
    "yolox raw NHWC": _convolutions("yolox", "raw", YOLOX, "NHWC"),
    "yolox decoded": _rows("yolox", 1, ALL, 5 + C, strides=STRIDES),
    "yolox boxes": _rows("yolox", 1, 9, 5 + C, box_unit="normalized"),
    "nanodet joint": _convolutions(
        "nanodet", "raw", {"predictions": C + 4 * BINS}, reg_max=BINS
    ),
    "nanodet one output": _rows(
        "nanodet", 1, ALL, C + 4 * BINS, strides=STRIDES, reg_max=BINS
    ),
    "nanodet six outputs": _convolutions(
        "nanodet", "decoded", {"class_scores": C, "box_distribution": 4 * BINS}, "rows",
        reg_max=BINS,
    ),
    "split": _split("class_scores", (1, ALL, 4), (1, ALL, C), box_format="xyxy"),
    "split normalized classes first": _split(
        "class_scores", (1, ALL, 1, 4), (1, C, ALL), box_unit="normalized"
    ),
    "split logits": _split("class_logits", (1, ALL, 4), (1, ALL, C), box_format="yxyx"),
    "picodet split": _convolutions("picodet", "raw", SPLIT, reg_max=BINS),
}  # fmt: skip


def outputs_of(case: str, seed: int = 0) -> dict[str, np.ndarray]:
    """Logits, or numbers about which scores and box sides may be."""
    spec, shapes = CASES[case]
    random = np.random.default_rng(seed)
    raw = spec.head == "raw" or spec.strides
    return {
        name: (random.normal(0, 1, shape) if raw else random.uniform(0.2, 1, shape)).astype("f4")
        for name, shape in shapes.items()
    }
