"""Preparing in a child gives what preparing gives; what goes wrong there is one sentence here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from mobileq.errors import InputError, UsageError
from mobileq.external.child import Child
from mobileq.preparation import prepared_file
from mobileq.preparation.prepare import prepare
from mobileq.preparation.prepared_file import MODEL_NAME, expected, not_needed, prepare_file
from tests.graph.builders import model_of, yolov8
from tests.graph.hostile import unfolding


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    path = tmp_path / "detector.onnx"
    onnx.save(yolov8(), path)
    return path


def test_child_prepares_what_the_parent_would(tmp_path: Path, detector: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text('[preprocess]\nchannel_order = "BGR"')
    options = {"spec_file": spec, "labels": None, "family": "yolov8"}
    found = prepare_file(tmp_path, detector, **options)
    wanted = prepare(detector, **options)
    assert onnx.load(tmp_path / MODEL_NAME) == wanted.model
    assert found.spec == wanted.spec
    assert found.notices == wanted.notices
    assert found.source_sha256 == wanted.source_sha256
    assert sum(found.file_ops.values()) == len(onnx.load(detector).graph.node)


def test_errors_come_back_as_they_are(tmp_path: Path, detector: Path) -> None:
    with pytest.raises(UsageError, match="There is no family 'cat'"):
        prepare_file(tmp_path, detector, family="cat")


def test_a_child_that_is_expected_serves_once_and_ends_unused(
    tmp_path: Path, detector: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Child] = []

    def child() -> Child:
        made.append(started())
        return made[-1]

    started = prepared_file._child
    monkeypatch.setattr(prepared_file, "_child", child)
    with expected():
        assert len(made) == 1
        first = prepare_file(tmp_path, detector)
        assert len(made) == 1
        assert not made[0].is_running
        assert prepare_file(tmp_path, detector) == first
        assert len(made) == 2
    with expected():
        assert made[2].is_running
        with pytest.raises(UsageError, match="There is no family 'cat'"):
            prepare_file(tmp_path, detector, family="cat")
    with expected():
        not_needed()
        assert not made[3].is_running
    assert not any(each.is_running for each in made)
    assert len(made) == 4


def test_model_that_unfolds_into_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.onnx"
    onnx.save(unfolding(1_700_000_000), path)  # 6.8 GB
    with pytest.raises(InputError, match=r"takes more than 3\.2 GB to run once"):
        prepare_file(tmp_path, path)


def heavy(channels: int) -> onnx.ModelProto:
    numbers = np.random.default_rng(1)
    return model_of(
        f"""g (float[1,64,8,8] x) => (float[1,{channels},4,4] y) {{
            a = Conv<strides = [2, 2], pads = [1, 1, 1, 1]>(x, w0)
            b = Relu(a)
            y = Conv<pads = [1, 1, 1, 1]>(b, w1)
        }}""",
        {
            "w0": numbers.random((1024, 64, 3, 3), np.float32),
            "w1": numbers.random((channels, 1024, 3, 3), np.float32),
        },
    )


def peak_megabytes(path: Path) -> float:
    # Not ru_maxrss, which begins with what the parent had.
    code = """if True:
        import re, sys
        from pathlib import Path
        from mobileq.external import inside
        from mobileq.preparation.prepared_file import PrepareHandler
        inside.enter()
        fields = dict.fromkeys(("family", "spec_file", "labels"), None)
        fields |= {"folder": sys.argv[2], "path": sys.argv[1], "input_shapes": [], "constants": []}
        PrepareHandler().prepare(fields, {})
        print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
    """
    done = subprocess.run(
        [sys.executable, "-c", code, path, path.parent], capture_output=True, text=True, check=True
    )
    return float(done.stdout) / 1000


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_memory_stays_below_eight_times_the_model(tmp_path: Path) -> None:
    peaks, sizes = [], []
    for channels in (8, 1600):
        path = tmp_path / f"{channels}.onnx"
        onnx.save(heavy(channels), path)
        peaks.append(peak_megabytes(path))
        sizes.append(path.stat().st_size / 1e6)
    assert (peaks[1] - peaks[0]) / (sizes[1] - sizes[0]) < 8
