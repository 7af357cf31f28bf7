"""A model's name is one that every system takes for its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobileq.manifest import path_problem
from mobileq.paths import model_name

ODD = (
    "a:b",
    "a\\b",
    "a\nb",
    "a\tb",
    "a\x1b[31mb",
    "a\u202eb",
    "a\udcffb",
    "a\x7fb",
    'a"b',
    "a?b*c<d>e|f",
)


@pytest.mark.parametrize("stem", ["yolov5n", "Erkennung ä", "v1.2", "日本", "-x", " a "])
def test_ordinary_names_stay(stem):
    assert model_name(Path("folder", f"{stem}.onnx")) == stem


@pytest.mark.parametrize("stem", ODD)
def test_what_not_every_system_takes_is_replaced(stem):
    name = model_name(Path(f"{stem}.onnx"))
    assert name.startswith("a_")
    assert len(name) == len(stem)
    assert path_problem(f"models/{name}-fp32.tflite") is None


@pytest.mark.parametrize("path", ["...onnx", "..", " .onnx", "/", "."])
def test_a_name_is_more_than_dots(path):
    assert model_name(Path(path)) == "model"


@pytest.mark.parametrize("sign", ["a", "ä", "日", "\U0001f600"])
def test_long_names_leave_room_for_what_comes_behind(sign):
    name = model_name(Path(sign * (250 // len(sign.encode())) + ".onnx"))
    assert 117 <= len(name.encode()) <= 120
    assert set(name) == {sign}
