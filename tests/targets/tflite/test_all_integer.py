"""Why a file can't be all integer: the ONNX model's op, and what TFLite lacks for it."""

from __future__ import annotations

import pytest

from mobileq.errors import VerificationError

from ..tiny import convert_once


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
