"""Why a file can't be all integer: the ONNX model's op, and what TFLite lacks for it."""

from __future__ import annotations

from contextlib import closing

import pytest

from mobileq.errors import VerificationError
from mobileq.targets.tflite import counting, flatbuffer
from mobileq.targets.tflite.target import TfliteTarget

from ..tiny import convert_once, sqnr_db


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("normed", r"MEAN, a part of LayerNormalization .*, takes or gives values of which no"),
        ("cosine", r"TFLite has no integer kernel for COS, a part of Cos "),
    ],
)
def test_the_onnx_op_and_the_reason_are_told(tiny, tmp_path, name, reason):
    with pytest.raises(VerificationError, match=f"can't be all integer: {reason}"):
        convert_once(tiny(name).job(tmp_path, "int8-full"))


def test_transposed_convolutions_are_integer_with_their_bias(convert):
    file = convert("upward", "int8-full", "int8")
    model = flatbuffer.read_model(file.path)
    assert counting.float_ops(model) == ()
    with closing(
        TfliteTarget().open(file.path, file.converted.inputs, file.converted.outputs)
    ) as runner:
        assert sqnr_db(file.model.wanted["y"], runner.run(file.model.feeds)["y"]) > 30
