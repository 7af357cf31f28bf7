"""What TFLite can't compute is told with its node."""

from __future__ import annotations

import pytest
from onnx import parser

from mobileq.errors import UnsupportedOperatorError
from mobileq.targets.tflite.refusals import _tell, refuse_known

HEADER = '<ir_version: 8, opset_import: ["": 17]>'


def test_arithmetic_of_uint64_is_refused_with_its_node() -> None:
    text = "m (uint64[3] x) => (uint64[3] y) { z = Identity(x) [adding] y = Add(z, x) }"
    with pytest.raises(UnsupportedOperatorError, match=r"of uint64, as Add \(node 'adding'\)"):
        refuse_known(parser.parse_model(HEADER + text))


def test_uint64_that_is_only_moved_passes() -> None:
    text = "m (uint64[3] x) => (uint64[3] y) { y = Identity(x) }"
    refuse_known(parser.parse_model(HEADER + text))


def test_options_of_onnx2tf_are_not_advised() -> None:
    error = NotImplementedError(
        "op=Scan node=Scan_y reason_code=custom_op message=This ONNX op is a custom-op candidate, "
        "but custom-op lowering is disabled. Enable flatbuffer_direct_allow_custom_ops."
    )
    with pytest.raises(UnsupportedOperatorError) as caught:
        _tell(error, "m.onnx")
    assert caught.value.message == (
        "onnx2tf has no TFLite translation of Scan (node 'Scan_y'): it would be a custom op, which "
        "no interpreter knows."
    )
