"""Which op keeps a file from being all integer."""

from __future__ import annotations

from onnx import parser

from mobileq.targets.onnxruntime.kernels import float_reason

HEADER = '<ir_version: 8, opset_import: ["": 17]>'


def reason(body: str) -> str | None:
    return float_reason(
        parser.parse_model(f"{HEADER} m (float[2,3] x) => (float[2,3] y) {{{body}}}")
    )


def test_what_moves_floats_is_no_reason_beside_what_computes_them() -> None:
    found = reason("a = Transpose(x) b = Transpose(a) [normed] y = Softmax(b)")
    assert found == "ONNX Runtime has no integer kernel for Softmax (node 'normed')"


def test_what_moves_floats_is_told_where_nothing_else_takes_any() -> None:
    assert reason("a = Transpose(x) y = Transpose(a)") == (
        "ONNX Runtime has no integer kernel for Transpose"
    )
