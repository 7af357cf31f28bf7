"""Why a file can't be all integer: the ONNX model's op, and what TFLite lacks for it."""

from __future__ import annotations

from contextlib import closing

import pytest

from mobileq.errors import VerificationError
from mobileq.targets.tflite import counting, flatbuffer
from mobileq.targets.tflite.target import TfliteTarget

from ..tiny import kept, sqnr_db


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("numbered", r"CAST, a part of Cast .*, takes or gives values of which no range is known"),
        ("cosine", r"TFLite has no integer kernel for COS, a part of Cos "),
    ],
)
def test_the_onnx_op_and_the_reason_are_told(tiny, tmp_path, name, reason):
    with pytest.raises(VerificationError, match=f"can't be all integer: {reason}"):
        kept().convert(tiny(name).job(tmp_path, "int8-full"))


def test_transposed_convolutions_are_integer_with_their_bias(convert):
    file = convert("upward", "int8-full", "int8")
    model = flatbuffer.read_model(file.path)
    assert counting.float_ops(model) == ()
    with closing(
        TfliteTarget().open(file.path, file.converted.inputs, file.converted.outputs)
    ) as runner:
        assert sqnr_db(file.model.wanted["y"], runner.run(file.model.feeds)["y"]) > 30


@pytest.mark.parametrize(
    ("name", "least_db"),
    [("normed", 38), ("tokens", 30), ("loud", 30), ("choices", 40), ("block", 30)],
)
def test_what_transformers_are_made_of_is_all_integer(convert, name, least_db):
    file = convert(name, "int8-full", "int8")
    assert counting.float_ops(flatbuffer.read_model(file.path)) == ()
    with closing(
        TfliteTarget().open(file.path, file.converted.inputs, file.converted.outputs)
    ) as runner:
        found = runner.run(file.model.feeds)
    for key, wanted in file.model.wanted.items():
        assert sqnr_db(wanted, found[key]) > least_db


def test_int8_keeps_normalizations_in_float(convert):
    model = flatbuffer.read_model(convert("tokens", "int8").path)
    counted = counting.typed_op_counts(model)
    assert {kind for kind in counted if kind.startswith(("MEAN", "SUB", "RSQRT"))} == {
        "MEAN float32", "SUB float32", "RSQRT float32",
    }  # fmt: skip
    assert counted["FULLY_CONNECTED int8"] == 2


def test_quiet_tokens_keep_their_size_in_16_bits(convert):
    """RSQRT alone has them 3 to 7 % too large."""
    file = convert("tokens", "int16x8")
    with closing(
        TfliteTarget().open(file.path, file.converted.inputs, file.converted.outputs)
    ) as runner:
        found = runner.run(file.model.feeds)["parts"]
    wanted = file.model.wanted["parts"]
    gain = (found * wanted).sum(-1) / (wanted**2).sum(-1)
    assert abs(gain - 1).max() < 0.02


@pytest.mark.parametrize(("precision", "io"), [("int8", "float32"), ("int8-full", "int8")])
def test_a_gelu_by_tanh_is_one_integer_op(convert, precision, io):
    file = convert("gelu", precision, io)
    counted = counting.typed_op_counts(flatbuffer.read_model(file.path))
    assert counted["GELU int8"] == 1
    assert not any(kind.startswith(("TANH", "MUL", "ADD")) for kind in counted)
    with closing(
        TfliteTarget().open(file.path, file.converted.inputs, file.converted.outputs)
    ) as runner:
        assert sqnr_db(file.model.wanted["y"], runner.run(file.model.feeds)["y"]) > 35


def test_files_of_floats_keep_the_steps_of_a_gelu_by_tanh(convert):
    """LiteRT's float GELU computes it by erf."""
    counted = counting.typed_op_counts(flatbuffer.read_model(convert("gelu", "fp32").path))
    assert counted["TANH float32"] == 1
    assert "GELU float32" not in counted
