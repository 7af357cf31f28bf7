"""Outlines of .mnn files that MNN itself made of small models; others are one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mobileq.errors import MobileqError
from mobileq.targets.mnn.outline import MnnOutline, read_outline

# Not `MNN.tools`: that runs pip and sends usage logs at import (MNN 3.6.1).
CONVERT = """
import sys
import _tools
import MNN
_tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--bizCode", "x", *sys.argv[1:]])
"""


def convert_to_mnn(source: Path, output: Path, *options: str) -> Path:
    argv = ["--modelFile", str(source), "--MNNModel", str(output), *options]
    subprocess.run(
        [sys.executable, "-c", CONVERT, *argv], check=True, capture_output=True, timeout=300
    )
    assert output.stat().st_size > 100
    return output


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory) -> Path:
    return convert_to_mnn(tiny("conv").path, tmp_path_factory.mktemp("mnn") / "conv.mnn")


@pytest.fixture(scope="module")
def outline(whole) -> MnnOutline:
    return read_outline(whole)


def test_inputs_and_outputs_are_the_models(outline, tiny):
    spec = tiny("conv").spec
    for found, wanted in ((outline.inputs, spec.inputs), (outline.outputs, spec.outputs)):
        assert [(tensor.name, tensor.shape) for tensor in found] == [
            (tensor.name, tensor.shape) for tensor in wanted
        ]
        assert [(tensor.dtype, tensor.layout) for tensor in found] == [("float32", "NCHW")]
        assert found[0].quant is None


def test_ops_are_counted_by_type_most_frequent_first(outline):
    assert outline.ops["Convolution"] == 1
    assert outline.ops["Input"] == 1
    assert list(outline.ops.values()) == sorted(outline.ops.values(), reverse=True)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), {"float32": 3}),
        (("--fp16",), {"float16": 3}),
        (("--weightQuantBits", "8"), {"int8 table": 3}),
    ],
)
def test_weights_are_told_as_they_are_kept(tiny, tmp_path, options, expected):
    path = convert_to_mnn(tiny("anchors").path, tmp_path / "x.mnn", *options)
    assert read_outline(path).weight_types == expected


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", bytes(1000), b"\xff" * 1000, b"\x18\0\0\0TFL3" + bytes(200)],
    ids=["empty", "text", "zeros", "ones", "tflite"],
)
def test_file_that_is_none_is_one_sentence(tmp_path, content):
    path = tmp_path / "x.mnn"
    path.write_bytes(content)
    with pytest.raises(MobileqError, match=r"x\.mnn") as caught:
        read_outline(path)
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_truncated_file_is_one_sentence(whole, tmp_path, part):
    path = tmp_path / "x.mnn"
    content = whole.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(MobileqError, match=r"x\.mnn") as caught:
        read_outline(path)
    assert "\n" not in caught.value.message


def test_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(MobileqError, match=r"none\.mnn"):
        read_outline(tmp_path / "none.mnn")


def test_mnn_stays_out_of_this_process(outline):
    assert not {"MNN", "_tools"} & set(sys.modules)
