"""A model of one convolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from tests.device.fixtures import adb_server, phones

__all__ = ["adb_server", "phones"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """x [1, 3, 8, 8] -> y [1, 4, 8, 8]: one convolution."""
    made = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]>\n'
        "g (float[1,3,8,8] x) => (float[1,4,8,8] y) { y = Conv(x, w) }"
    )
    weights = np.random.default_rng(0).normal(0, 0.5, (4, 3, 1, 1)).astype(np.float32)
    made.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    path = tmp_path / "Model.ONNX"
    onnx.save(made, path)
    return path


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's is read or written."""
    monkeypatch.setenv("MOBILEQ_CACHE_DIR", str(tmp_path / "cache"))
