"""What targets say alike."""

from __future__ import annotations

import msgspec

from mobileq.spec import ModelSpec, TensorSpec
from mobileq.spec.decode import DecodeSpec, HeadOutput
from mobileq.targets.base import instead_of_all_integer

ROWS = TensorSpec(name="rows", shape=(1, 126, 7), dtype="float32")
DECODE = DecodeSpec(
    kind="yolov5",
    class_count=2,
    outputs=(HeadOutput(name="rows", role="predictions"),),
    strides=(8, 16, 32),
    anchors=(((1, 2),), ((5, 6),), ((7, 8),)),
)
FREE = ModelSpec(name="m", task="unknown", family=None, inputs=(), outputs=(ROWS,))


def test_a_raw_head_is_advised_where_there_can_be_one() -> None:
    decoded = msgspec.structs.replace(FREE, decode=DECODE)
    raw = msgspec.structs.replace(FREE, decode=msgspec.structs.replace(DECODE, head="raw"))
    advice = "Use int8, which keeps such ops in float"
    assert instead_of_all_integer(decoded) == f"{advice}, or --head raw."
    assert instead_of_all_integer(FREE) == instead_of_all_integer(raw) == f"{advice}."
