"""Trains the demonstration detector from scratch and writes the files under assets/demo.

    python tools/train_demo.py            draw the images, train, export and evaluate
    python tools/train_demo.py --check    evaluate the committed model again

The images depend on the seed alone; the weights are the same again on the same machine.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demo_detector.evaluation import Accuracy

# The packages are imported where they are needed: the drawing processes import this file too,
# and have no use for TensorFlow.

_LOGGER = logging.getLogger("train_demo")
_ROOT = Path(__file__).resolve().parent.parent
_MODEL_NAME = "demo.onnx"
_SPLIT_SIZE = 32
_MAX_PIXEL_DIFFERENCE = 1e-3

_README = """\
# Demonstration data

A small detector and labelled images, all drawn and trained by the project's own
`tools/train_demo.py`, so that mobileq can be tried without downloading anything.

- `{model}`: a YOLOv8-style detector of {classes} (opset 17,
  {parameters:,} parameters, {size:,} bytes). Input `images` [1, 3, {side}, {side}], RGB in
  0..1; output `output0` [1, {rows}, {anchors}], centre, width and height in input pixels, then
  the class scores.
- `calibration/`, `validation/`: {split_size} JPEG images each with YOLO labels, described by
  `data.yaml`.
- `calibration.json`, `validation.json`: the same labels in COCO's form. Category ids start
  at 1, class indices at 0.

| images | mAP50 | mAP50-95 |
| --- | --- | --- |
| `validation/` | {validation.map50:.3f} | {validation.map50_95:.3f} |
| {held_out_size} further drawn images | {held_out.map50:.3f} | {held_out.map50_95:.3f} |

Measured by pycocotools on ONNX Runtime's float32 output: letterboxed to {side}x{side}, boxes
above a score of 0.001, suppressed per class at an IoU of 0.65.

Made by `python tools/train_demo.py --seed {seed} --steps {steps}`, which takes about a quarter
of an hour on two CPU cores. `python tools/train_demo.py --check` measures the table again.
"""


def main() -> None:
    arguments = _parse_arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    if not arguments.check:
        _make(arguments)
    validation, held_out = _measure(arguments)
    _LOGGER.info("validation, %d images: %s", _SPLIT_SIZE, validation)
    _LOGGER.info("held out, %d images: %s", arguments.held_out, held_out)
    if not arguments.check:
        _write_readme(arguments, validation, held_out)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Trains the demonstration detector and writes the files under assets/demo."
    )
    parser.add_argument("--output", type=Path, default=_ROOT / "assets" / "demo")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=4400)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--images", type=int, default=12000, help="images drawn to train on")
    parser.add_argument("--held-out", type=int, default=500, help="further images to measure on")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="drawing processes")
    parser.add_argument("--check", action="store_true", help="only measure the model at --output")
    return parser.parse_args()


def _make(arguments: argparse.Namespace) -> None:
    """Draws the data, trains, and writes everything but the README."""
    from demo_detector import dataset, export, keras_model, training

    for split in (dataset.Split.CALIBRATION, dataset.Split.VALIDATION):
        dataset.write_split(arguments.output, split, arguments.seed, _SPLIT_SIZE)
    dataset.write_data_yaml(arguments.output)

    started = time.monotonic()
    pool = dataset.draw_training_pool(arguments.seed, arguments.images, arguments.workers)
    _LOGGER.info("drew %d images in %.0f s", arguments.images, time.monotonic() - started)

    training.make_deterministic(arguments.seed)
    model, conv_names = keras_model.build_keras_model()
    training.train(model, pool, arguments.seed, arguments.steps, arguments.batch_size)

    path = arguments.output / _MODEL_NAME
    export.export_onnx(keras_model.folded_weights(model, conv_names), path)
    difference = training.largest_difference(model, path, pool.images[:8])
    _LOGGER.info("Keras and ONNX Runtime differ by at most %.1e", difference)
    if difference > _MAX_PIXEL_DIFFERENCE:
        raise RuntimeError("the exported graph does not compute what was trained")


def _measure(arguments: argparse.Namespace) -> tuple[Accuracy, Accuracy]:
    """Accuracy on the validation images as written, and on held-out ones drawn now."""
    from demo_detector import dataset, evaluation

    path = arguments.output / _MODEL_NAME
    validation = dataset.read_split(arguments.output, dataset.Split.VALIDATION)
    held_out = [
        dataset.draw_sample(arguments.seed, dataset.Split.HELD_OUT, index)
        for index in range(arguments.held_out)
    ]
    return evaluation.evaluate(path, validation), evaluation.evaluate(path, held_out)


def _write_readme(arguments: argparse.Namespace, validation: Accuracy, held_out: Accuracy) -> None:
    from demo_detector import export, network, scenes

    path = arguments.output / _MODEL_NAME
    text = _README.format(
        model=_MODEL_NAME,
        classes=", ".join(f"{name}s" for name in scenes.CLASS_NAMES),
        parameters=export.count_parameters(path),
        size=path.stat().st_size,
        side=network.IMAGE_SIZE,
        rows=4 + network.NUM_CLASSES,
        anchors=network.NUM_ANCHORS,
        split_size=_SPLIT_SIZE,
        validation=validation,
        held_out=held_out,
        held_out_size=arguments.held_out,
        seed=arguments.seed,
        steps=arguments.steps,
    )
    (arguments.output / "README.md").write_text(text)


if __name__ == "__main__":
    main()
