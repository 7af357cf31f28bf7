"""Gelu by tanh, exported in eight steps."""

from __future__ import annotations

import pytest

from mobileq.targets.tflite import counting, flatbuffer

from ...tiny import sqnr_db


@pytest.mark.parametrize(("precision", "io"), [("int8", "float32"), ("int8-full", "int8")])
def test_a_gelu_by_tanh_is_one_integer_op(convert, precision, io):
    file = convert("gelu", precision, io)
    counted = counting.typed_op_counts(flatbuffer.read_model(file.path))
    assert counted["GELU int8"] == 1
    assert not any(kind.startswith(("TANH", "MUL", "ADD")) for kind in counted)
    assert sqnr_db(file.model.wanted["y"], file.run()["y"]) > 35


def test_files_of_floats_keep_the_steps_of_a_gelu_by_tanh(convert):
    """LiteRT's float GELU computes it by erf."""
    counted = counting.typed_op_counts(flatbuffer.read_model(convert("gelu", "fp32").path))
    assert counted["TANH float32"] == 1
    assert "GELU float32" not in counted
