from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mobileq.errors import InputError
from mobileq.preparation.describe import describe
from mobileq.preparation.spec_file import SpecOverrides
from mobileq.spec import QuantParams, TensorSpec
from tests.graph.builders import NHWC640, outputs_of

NANODET = outputs_of(*[(1, n, c) for n in (6400, 1600, 400) for c in (80, 32)])


def in_8_bits(tensor: TensorSpec, largest: float) -> TensorSpec:
    quant = QuantParams(scale=(largest / 255,), zero_point=(-128,))
    return msgspec.structs.replace(tensor, dtype="int8", quant=quant)


def test_a_file_is_named_after_itself() -> None:
    path = Path("some folder/net.tflite")
    found = describe(path, NHWC640, outputs_of((1, 84, 8400)), {}, SpecOverrides(path=path))
    assert (found.spec.name, found.spec.family) == ("net", "yolov8")


@pytest.mark.parametrize(("largest", "unit"), [(1.0, "normalized"), (640.0, "pixel")])
def test_range_of_the_output_that_holds_boxes_tells_their_unit(largest: float, unit: str) -> None:
    path = Path("net.tflite")
    outputs = (in_8_bits(outputs_of((1, 84, 8400))[0], largest),)
    found = describe(path, NHWC640, outputs, {}, SpecOverrides(path=path))
    assert found.spec.decode is not None
    assert found.spec.decode.box_unit == unit


def test_range_of_scores_says_nothing_of_boxes() -> None:
    path = Path("net.tflite")
    outputs = tuple(in_8_bits(each, 1.0 if each.shape[2] == 80 else 20.0) for each in NANODET)
    found = describe(path, NHWC640, outputs, {}, SpecOverrides(path=path))
    assert (found.spec.family, len(found.spec.labels)) == ("nanodet", 80)
    assert found.spec.decode is not None
    assert found.spec.decode.box_unit == "pixel"


def test_names_are_held_against_the_class_count_of_the_spec_file() -> None:
    path = Path("net.tflite")
    said = SpecOverrides(path=path, readings={"decode": {"class_count": 2}})
    outputs = outputs_of((1, 300, 6))
    found = describe(path, NHWC640, outputs, {}, said, names=("cat", "dog"))
    assert found.spec.labels == ("cat", "dog")
    with pytest.raises(InputError, match="3 labels, but the model has 2 classes"):
        describe(path, NHWC640, outputs, {}, said, names=("cat", "dog", "cow"))
