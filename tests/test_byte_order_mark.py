"""Editors on Windows begin a file with a byte order mark: what a person writes is read with it."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest

from mobileq.calibration.data_yaml import read_data_yaml
from mobileq.preparation.labels import read_labels as read_names
from mobileq.preparation.spec_file import read_spec_file
from mobileq.tasks.detect.labels.coco_annotations import read_coco
from mobileq.tasks.detect.labels.yolo_labels import read_labels
from mobileq.workflows.recipe_file import read_recipes

COCO = """{"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "cat"}],
"annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 3]}]}"""
RECIPE = '{"recipes": [{"target": "tflite", "recipe": {"precision": "int8"}}]}'


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("annotations.json", COCO, read_coco),
        ("recipe.json", RECIPE, read_recipes),
        ("a.txt", "0 0.5 0.5 0.25 0.25\n", lambda path: read_labels(path, frozenset({0}))),
        ("data.yaml", "train: images\nnames: [cat]\n", read_data_yaml),
        ("labels.txt", "cat\ndog\n", read_names),
        ("spec.toml", 'family = "yolox"\n', read_spec_file),
    ],
)
def test_a_byte_order_mark_changes_nothing(
    tmp_path: Path, name: str, text: str, read: Callable[[Path], object]
) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    plain = read(path)
    assert plain
    path.write_bytes(codecs.BOM_UTF8 + text.encode())
    assert read(path) == plain
