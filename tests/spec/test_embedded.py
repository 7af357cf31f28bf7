"""What a model file tells of its model, which is part of its bytes."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from mobileq.spec import ModelSpec, PreprocessSpec, QuantRecipe, embedded
from mobileq.spec.classes import ClassesSpec
from mobileq.targets.mnn.metadata import metadata_text

BOXES = ModelSpec(name="m", task="detect", family=None, inputs=(), outputs=())
CLASSES = replace(BOXES, task="classify", classes=ClassesSpec(class_count=2))


def test_models_without_classes_are_told_as_before_there_were_any() -> None:
    fields = ["name", "task", "family", "inputs", "outputs", "preprocess", "decode", "labels"]
    assert list(embedded(BOXES)) == fields
    assert "classes" not in metadata_text(BOXES, QuantRecipe(precision="fp32"))


def test_plainly_resized_pictures_are_told_as_before_there_were_other_ways() -> None:
    plain = PreprocessSpec(width=8, height=8)
    fields = [
        *("width", "height", "resize_mode", "pad_value", "channel_order", "rescale_factor"),
        *("image_mean", "image_std", "layout"),
    ]
    assert list(embedded(replace(BOXES, preprocess=plain))["preprocess"]) == fields


def test_classes_and_ways_to_resize_come_back() -> None:
    cropped = PreprocessSpec(
        width=8, height=8, resize_mode="center_crop", shortest_edge=9, antialias=True,
        interpolation="bicubic",
    )  # fmt: skip
    for spec in (BOXES, CLASSES, replace(CLASSES, preprocess=cropped)):
        assert msgspec.convert(embedded(spec), ModelSpec) == spec
