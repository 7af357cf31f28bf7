"""What a model file tells of its model, which is part of its bytes."""

from __future__ import annotations

import msgspec

from mobileq.spec import ModelSpec, QuantRecipe, embedded
from mobileq.spec.classes import ClassesSpec
from mobileq.targets.mnn.metadata import metadata_text

BOXES = ModelSpec(name="m", task="detect", family=None, inputs=(), outputs=())
CLASSES = msgspec.structs.replace(BOXES, task="classify", classes=ClassesSpec(class_count=2))


def test_models_without_classes_are_told_as_before_there_were_any() -> None:
    fields = ["name", "task", "family", "inputs", "outputs", "preprocess", "decode", "labels"]
    assert list(embedded(BOXES)) == fields
    assert "classes" not in metadata_text(BOXES, QuantRecipe(precision="fp32"))


def test_classes_come_back() -> None:
    for spec in (BOXES, CLASSES):
        assert msgspec.convert(embedded(spec), ModelSpec) == spec
