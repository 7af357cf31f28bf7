"""Runs in a process of its own: answers questions, a line of JSON each."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever else is printed
# mediapipe 1.2.3 takes a decorator from TensorFlow where there is one: eight seconds.
sys.modules["tensorflow"] = None  # type: ignore[assignment]
import mediapipe  # noqa: E402
from mediapipe.tasks.python import BaseOptions, vision  # noqa: E402


def classify(model: str, pictures: list[Any]) -> list[list[dict[str, Any]]]:
    """Of each picture uint8 [H, W, 3], the classes of every head, the best first."""
    options = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_path=model), max_results=-1
    )
    with vision.ImageClassifier.create_from_options(options) as classifier:
        found = [classifier.classify(_image(picture)).classifications for picture in pictures]
    return [
        [
            {
                "head": head.head_name,
                "classes": [
                    [each.score, each.index, each.category_name] for each in head.categories
                ],
            }
            for head in heads
        ]
        for heads in found
    ]


def detect(model: str, pictures: list[Any], threshold: float) -> list[list[dict[str, Any]]]:
    """Of each picture, the objects: left, top, width and height in whole pixels.

    The threshold in the metadata goes unheard here: the Python side sets 0 where none is given.
    """
    options = vision.ObjectDetectorOptions(
        base_options=BaseOptions(model_asset_path=model), score_threshold=threshold
    )
    with vision.ObjectDetector.create_from_options(options) as detector:
        found = [detector.detect(_image(picture)).detections for picture in pictures]
    return [
        [
            {
                "box": [
                    each.bounding_box.origin_x,
                    each.bounding_box.origin_y,
                    each.bounding_box.width,
                    each.bounding_box.height,
                ],
                "name": category.category_name,
                "score": category.score,
            }
            for each in objects
            for category in each.categories  # several where boxes of several classes are the same
        ]
        for objects in found
    ]


def write(model: str, output: str, labels: list[str]) -> None:
    """Let Google's writer describe a classifier anew, in the file `output`."""
    from mediapipe.tasks.python.metadata.metadata_writers import image_classifier, metadata_writer

    named = metadata_writer.Labels().add(labels)
    content = bytearray(Path(model).read_bytes())
    writer = image_classifier.MetadataWriter.create(content, [0.0], [255.0], named)
    Path(output).write_bytes(writer.populate()[0])


def describe(model: str) -> Any:
    """The metadata as Google's displayer tells it, and the names of the files packed."""
    from mediapipe.tasks.python.metadata import metadata

    displayer = metadata.MetadataDisplayer.with_model_file(model)
    return {
        "metadata": json.loads(displayer.get_metadata_json()),
        "packed": displayer.get_packed_associated_file_list(),
    }


def _complete() -> None:
    """mediapipe 1.2.3 lacks a compiled module that its writer imports."""
    version = ModuleType("_pywrap_metadata_version")
    version.GetMinimumMetadataParserVersion = lambda metadata: "1.0.0"  # type: ignore[attr-defined]
    above = (
        "mediapipe.tasks.cc",
        "mediapipe.tasks.cc.metadata",
        "mediapipe.tasks.cc.metadata.python",
    )
    sys.modules.update({name: ModuleType(name) for name in above})
    sys.modules[above[-1]]._pywrap_metadata_version = version  # type: ignore[attr-defined]


def _image(pixels: Any) -> mediapipe.Image:
    return mediapipe.Image(
        image_format=mediapipe.ImageFormat.SRGB, data=np.asarray(pixels, dtype=np.uint8)
    )


QUESTIONS = {each.__name__: each for each in (classify, detect, write, describe)}


def main() -> None:
    _complete()
    for line in sys.stdin:
        fields = json.loads(line)
        question = QUESTIONS[fields.pop("question")]
        try:
            found = {"answer": question(**fields)}
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(found), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
