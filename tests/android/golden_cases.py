"""Golden cases for the Java core: frames, tensors, outputs and answers, by mobileq itself.

One folder per case: `manifest.json`, `case.json`, `frame.bin` (RGBA with padded rows), `input.bin`
and `output-N.bin` in the file's type and order of axes.
"""

from __future__ import annotations

import itertools
import typing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from mobileq.manifest import BundleManifest
from mobileq.spec import (
    ModelSpec,
    PreprocessSpec,
    ResizeMode,
    TensorSpec,
)
from mobileq.spec.classes import ClassesSpec, ClassHead
from mobileq.tasks.classify.classes import SHOWN, answers_of, rows_of, top_classes
from mobileq.tasks.detect.nms import Thresholds
from mobileq.tasks.detect.postprocess import postprocess
from mobileq.vision.preprocess import preprocess

from .golden_folder import View, as_seen, as_stored, boxes, bundle_of, framed, write_folder
from .golden_heads import HEIGHT, WIDTH, Head, box_rows, decoded, heads, names, ssd

NHWC = (0, 2, 3, 1)


VIEWS = (
    View(80, 60, 0, 0, (0, 0, 80, 60)),
    View(101, 53, 12, 90, (3, 5, 91, 41)),
    View(50, 120, 4, 180, (0, 0, 50, 120)),
    View(96, 64, 20, 270, (10, 0, 64, 64)),
)
CAMERA = View(640, 480, 0, 90, (0, 0, 640, 480))
PREPROCESS = (
    PreprocessSpec(width=WIDTH, height=HEIGHT),
    PreprocessSpec(
        width=WIDTH,
        height=HEIGHT,
        resize_mode="letterbox_top_left",
        channel_order="BGR",
        rescale_factor=1.0,
    ),
    PreprocessSpec(
        width=WIDTH,
        height=HEIGHT,
        resize_mode="stretch",
        channel_order="BGR",
        rescale_factor=1.0,
        image_mean=(103.53, 116.28, 123.675),
        image_std=(57.375, 57.12, 58.395),
    ),
    PreprocessSpec(
        width=WIDTH,
        height=HEIGHT,
        resize_mode="center_crop",
        shortest_edge=min(WIDTH, HEIGHT) * 8 // 7,
        antialias=True,
    ),
)
WAYS = [(name, antialias) for name in ("bilinear", "bicubic") for antialias in (False, True)]


def write_cases(folder: Path, seed: int = 7) -> int:
    """All families, types and rotations; returns how many cases were written."""
    count = 0
    for at, (name, head) in enumerate(heads(seed)):
        for number, dtype in enumerate(("float32", "int8", "uint8")):
            for view in VIEWS:
                spec = PREPROCESS[(at + number) % len(PREPROCESS)]
                case = folder / f"{name}-{dtype}-{view.rotation}"
                evaluation = view.rotation == 180
                # Every other case in the order of axes that TFLite files have.
                transposed = (at + number + view.rotation // 90) % 2 == 0
                write_case(case, head, spec, dtype, view, evaluation, transposed)
                count += 1
    # 256 and 512 pixels: every weight of an odd side lies half-way between two multiples of 1/256.
    halfway = PreprocessSpec(width=256, height=512, resize_mode="stretch")
    for view in VIEWS[:2]:
        head = ssd(np.random.default_rng(seed))
        write_case(folder / f"halfway-{view.rotation}", head, halfway, "uint8", view, False, True)
        count += 1
    gray = PreprocessSpec(
        width=WIDTH,
        height=HEIGHT,
        channel_order="GRAY",
        rescale_factor=1.0,
        image_mean=(116.28,),
        image_std=(57.12,),
    )
    for dtype in ("float32", "int8", "uint8"):
        for view in VIEWS:
            head = decoded("yolov8", box_rows(np.random.default_rng(seed)).transpose(0, 2, 1))
            transposed = view.rotation in (90, 180)
            case = folder / f"gray-{dtype}-{view.rotation}"
            write_case(case, head, gray, dtype, view, False, transposed)
            count += 1
    for case, spec, dtype, view in resized():
        write_classes(folder / case, spec, dtype, view, "probabilities")
        count += 1
    for number, dtype in enumerate(("float32", "int8", "uint8")):
        for view in VIEWS:
            spec = PREPROCESS[number % len(PREPROCESS)]
            for values in (None, "probabilities", "logits"):
                name = f"classes-{values or 'plain'}-{dtype}-{view.rotation}"
                write_classes(folder / name, spec, dtype, view, values)
                count += 1
    for dtype in ("float32", "int8", "uint8"):
        for view in VIEWS:
            write_heads(folder / f"heads-{dtype}-{view.rotation}", dtype, view)
            count += 1
    return count


def resized() -> Iterator[tuple[str, PreprocessSpec, str, View]]:
    """Each way to resize in each mode: pictures that shrink, grow and do both."""
    modes = typing.get_args(ResizeMode)
    for at, ((interpolation, antialias), mode) in enumerate(itertools.product(WAYS, modes)):
        for view in (*VIEWS, CAMERA):
            side = 224 if view is CAMERA else (24, 40, 75, 130)[(at + view.rotation // 90) % 4]
            gray = at % 3 == 0
            spec = PreprocessSpec(
                width=side,
                height=side if view is CAMERA else 48,
                resize_mode=mode,
                shortest_edge=256 if view is CAMERA else min(side, 48) + at,
                interpolation=interpolation,
                antialias=antialias,
                channel_order="GRAY" if gray else "BGR" if at % 2 else "RGB",
                layout="NHWC" if view.rotation == 90 else "NCHW",
                image_mean=(0.4,) if gray else (0.485, 0.456, 0.406),
                image_std=(0.2,) if gray else (0.229, 0.224, 0.225),
            )
            way = f"{'antialiased-' if antialias else ''}{interpolation}"
            dtype = ("float32", "int8", "uint8")[at % 3]
            yield f"{mode}-{way}-{view.width}-{view.rotation}", spec, dtype, view
    numbers = np.random.default_rng(5)
    for at in range(64):
        width, height, *sides = map(int, numbers.choice((1, 2, 3, 7, 20, 45, 70), 4))
        interpolation, antialias = WAYS[at % 4]
        spec = PreprocessSpec(
            width=sides[0],
            height=sides[1],
            resize_mode=modes[at // 4 % 4],
            shortest_edge=min(sides) + at % 9,
            interpolation=interpolation,
            antialias=antialias,
        )
        view = View(width, height, 0, 90 * (at // 16), (0, 0, width, height))
        yield f"sides-{at}", spec, "float32", view


def write_classes(
    folder: Path, spec: PreprocessSpec, dtype: str, view: View, values: str | None
) -> None:
    """A classifier's case: the five best, equal ones in the order of classes. Where nobody knows
    what its values are, they are told as they are."""
    numbers = np.random.default_rng(view.width)
    scores = numbers.choice([0, 1, 2, 60, 128, 255], (1, 40)).astype(np.float32) / 255
    if values == "logits":
        scores = scores * 12 - 4
        if dtype == "float32" and view.rotation == 90:
            scores[0, :2] = np.nan, -np.inf
        if dtype == "float32" and view.rotation == 180:
            scores[0, [3, 9]] = np.inf
    pixels, part = framed(view)
    tensor, _ = preprocess(part, spec, rotation=view.rotation)
    input_spec, stored_input = as_stored("image", tensor, dtype, None)
    output_spec, stored = as_stored("scores", scores, dtype, None)
    seen = as_seen(output_spec, stored)[0]
    best = np.argsort(-seen, kind="stable")[:SHOWN]
    assert len(set(seen[best])) < len(best)
    told = seen[best]
    classes = None
    if values is not None:
        classes = ClassesSpec(class_count=scores.size, values=values)
        (answer,) = top_classes(classes, rows_of(classes, seen[None]))
        assert list(answer.class_id[:SHOWN]) == list(best)
        told = answer.probability[:SHOWN]
    manifest = classifier(spec, input_spec, (output_spec,), classes, scores.size)
    answers = [[int(at), float(score)] for at, score in zip(best, told, strict=True)]
    listed = {"classes": [answers]}
    write_folder(folder, manifest, pixels, view, stored_input, [stored], listed)


def write_heads(folder: Path, dtype: str, view: View) -> None:
    """A classifier's that answers two questions, with outputs in another order than its heads."""
    numbers = np.random.default_rng(view.width + 1)
    found = {"age": numbers.normal(0, 3, (1, 30)), "kind": numbers.uniform(0, 1, (1, 4))}
    classes = ClassesSpec(
        class_count=34,
        heads=(
            ClassHead(name="what", output="kind", class_count=4, values="probabilities"),
            ClassHead(name="how old", output="age", class_count=30, values="logits"),
        ),
    )
    spec = PREPROCESS[0]
    pixels, part = framed(view)
    tensor, _ = preprocess(part, spec, rotation=view.rotation)
    input_spec, stored_input = as_stored("image", tensor, dtype, None)
    outputs = {
        name: as_stored(name, values.astype(np.float32), dtype, None)
        for name, values in found.items()
    }
    seen = {name: as_seen(output, stored) for name, (output, stored) in outputs.items()}
    (answer,) = answers_of(classes.heads, seen, None)
    specs = tuple(output for output, _ in outputs.values())
    manifest = classifier(spec, input_spec, specs, classes, 34)
    listed = [[[int(at), float(p)] for at, p in best.within(SHOWN)] for best in answer]
    stored = [stored for _, stored in outputs.values()]
    write_folder(folder, manifest, pixels, view, stored_input, stored, {"classes": listed})


def classifier(
    spec: PreprocessSpec,
    image: TensorSpec,
    outputs: tuple[TensorSpec, ...],
    classes: ClassesSpec | None,
    count: int,
) -> BundleManifest:
    """A bundle with one file, of a model whose own tensors are float."""
    model = ModelSpec(
        name="golden",
        task="classify",
        family=None,
        inputs=(TensorSpec(name="image", shape=spec.tensor_shape(), dtype="float32"),),
        outputs=tuple(
            TensorSpec(name=each.name, shape=each.shape, dtype="float32") for each in outputs
        ),
        preprocess=spec,
        classes=classes,
        labels=names(count),
    )
    return bundle_of(model, (image,), outputs)


def write_case(
    folder: Path,
    head: Head,
    spec: PreprocessSpec,
    dtype: str,
    view: View,
    evaluation: bool,
    transposed: bool,
) -> None:
    pixels, part = framed(view)
    tensor, transform = preprocess(part, spec, rotation=view.rotation)

    input_spec, stored_input = as_stored("image", tensor, dtype, NHWC if transposed else None)
    output_specs, stored_outputs, seen = [], [], {}
    for name, array in head.outputs.items():
        order = NHWC if transposed and array.ndim == 4 else None
        output, stored = as_stored(name, array, dtype, order)
        output_specs.append(output)
        stored_outputs.append(stored)
        seen[name] = as_seen(output, stored)
    thresholds = Thresholds.evaluation() if evaluation else Thresholds.display(head.decode)
    found = postprocess(head.decode, seen, transform, thresholds)
    assert len(found) > 3, folder.name
    manifest = bundle_manifest(spec, head, (input_spec,), tuple(output_specs))
    left, top, *_ = view.crop
    found = replace(found, xyxy=found.xyxy + np.array([left, top, left, top], np.float32))
    answer = {**boxes(found), "evaluation": evaluation}
    write_folder(folder, manifest, pixels, view, stored_input, stored_outputs, answer)


def bundle_manifest(
    spec: PreprocessSpec,
    head: Head,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
) -> BundleManifest:
    """A manifest whose artifact has a raw head where the model's own may be another."""
    is_raw = head.decode.head == "raw"
    ends = {"whole": np.zeros((1, 1))} if is_raw else head.outputs
    model = ModelSpec(
        name="golden",
        task="detect",
        family=head.decode.kind,
        inputs=(TensorSpec(name="image", shape=spec.tensor_shape(), dtype="float32"),),
        outputs=tuple(
            TensorSpec(name=name, shape=array.shape, dtype="float32")
            for name, array in ends.items()
        ),
        preprocess=spec,
        decode=None if is_raw else head.decode,
        labels=names(head.decode.class_count),
    )
    return bundle_of(model, inputs, outputs, head.decode if is_raw else None)
