from __future__ import annotations

import msgspec

from mobileq.spec import ModelSpec, readings
from mobileq.spec.decode import DecodeSpec, HeadOutput

DECODED = DecodeSpec(
    kind="yolov8",
    class_count=3,
    strides=(8, 16),
    reg_max=16,
    outputs=(HeadOutput(name="y", role="predictions"),),
)
RAW = msgspec.structs.replace(DECODED, head="raw")


def model_of(decode: DecodeSpec | None) -> ModelSpec:
    return ModelSpec(name="m", task="detect", family=None, inputs=(), outputs=(), decode=decode)


def test_reading_is_found_by_its_section() -> None:
    assert readings(model_of(DECODED)) == {"decode": DECODED}
    assert readings(model_of(None)) == {}


def test_raw_outputs_have_a_scale_each_and_decoded_ones_share_it() -> None:
    assert not model_of(None).is_raw
    assert not model_of(DECODED).is_raw
    assert "boxes and scores" in (DECODED.unfit_for_8_bits or "")
    assert model_of(RAW).is_raw
    assert RAW.unfit_for_8_bits is None


def test_summary_says_how_boxes_come_about() -> None:
    assert DECODED.summary == (
        "Decoding: yolov8, 3 classes, strides 8/16, 16 bins a side, boxes cxcywh in pixel units"
    )
