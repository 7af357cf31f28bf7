"""What a file is made of."""

from __future__ import annotations

from mobileq.targets.tflite import counting, flatbuffer


def test_ops_are_counted_by_type(convert):
    counted = counting.op_counts(flatbuffer.read_model(convert("anchors", "fp32").path))
    assert list(counted.items()) == [
        ("CONV_2D", 3), ("TRANSPOSE", 3), ("RESHAPE", 2), ("CONCATENATION", 1), ("LOGISTIC", 1),
        ("PAD", 1),
    ]  # fmt: skip


def test_tensor_types_are_counted(convert):
    types = counting.tensor_types(flatbuffer.read_model(convert("scores", "int8", "int8").path))
    assert set(types) == {"int8", "int32"}
    assert list(types.values()) == sorted(types.values(), reverse=True)


def test_float_ops_are_named_once(convert):
    assert counting.float_ops(flatbuffer.read_model(convert("scores", "int8", "int8").path)) == ()
    mixed = counting.float_ops(flatbuffer.read_model(convert("scores", "int8").path))
    assert set(mixed) == {"QUANTIZE", "DEQUANTIZE"}
    plain = counting.float_ops(flatbuffer.read_model(convert("scores", "fp32").path))
    assert {"CONV_2D", "FULLY_CONNECTED"} <= set(plain)


def test_file_of_known_ops_has_no_custom_ones(convert):
    assert counting.custom_ops(flatbuffer.read_model(convert("anchors", "fp32").path)) == ()
