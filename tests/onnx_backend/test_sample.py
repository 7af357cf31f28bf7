from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.onnx_backend.sample import SAMPLE


def test_sample_of_the_onnx_tests_is_right_on_tflite(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.onnx_backend", "--sample", "--folder", str(tmp_path)],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "tflite.json").read_text())
    assert found.keys() == SAMPLE
    assert {each["outcome"]["kind"] for each in found.values()} == {"right"}, done.stdout
