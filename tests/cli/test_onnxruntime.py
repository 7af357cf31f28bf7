"""What `convert` is told about ONNX Runtime's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from .commands import Cli
from .recipe_files import SAMPLES, artifact

pytestmark = pytest.mark.usefixtures("children")


def test_onnx_runtimes_quantizer_is_told_what_stays_float(
    cli: Cli, demo: Path, tmp_path: Path
) -> None:
    found, again = tmp_path / "found", tmp_path / "again"
    calib = ("--calib", demo / "calibration" / "images", *SAMPLES)
    convert = ("convert", demo / "demo.onnx", *calib, "--target", "onnxruntime")
    convert += ("--precision", "int8", "-o")
    foreign = ("--ort-method", "MinMax", "--calibrator", "mse")
    named = ("--keep-float", "/stem/", "--keep-float", "sensitive")
    result = cli(*convert, found, *foreign, *named)
    assert result.code == 0, result
    assert "--keep-float" not in result.err
    kept = artifact(found, "int8")["recipe"]["keep_float"]
    assert "/model/stem/act/Mul_output_0" in kept
    assert len(kept) > 1, "the search found none"
    assert artifact(found, "int8")["ops"]["Conv float32"] >= 1
    assert cli(*convert, again, "--recipe", found / "recipe.json").code == 0
    file = "models/demo-int8.onnx"
    assert (again / file).read_bytes() == (found / file).read_bytes()
