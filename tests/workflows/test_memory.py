"""Memory: no process of a conversion takes more than 8 times a large model, beside libraries."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads peaks in /proc"),
]

_MOST_TIMES = 8
_WIDTHS = (3, 256, 1024, 1024, 128)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four convolutions with 52 MB of weights that cost little to run."""
    return _model(tmp_path_factory.mktemp("large") / "large.onnx", _WIDTHS)


def _model(path: Path, widths: Sequence[int]) -> Path:
    values = np.random.default_rng(0)
    nodes, weights = [], []
    for index, (taken, given) in enumerate(pairwise(widths)):
        weight = values.standard_normal((given, taken, 3, 3), dtype=np.float32)
        weights.append(numpy_helper.from_array(weight * (2 / (9 * taken)) ** 0.5, f"w{index}"))
        x, y = f"x{index}", f"x{index + 1}"
        nodes.append(
            helper.make_node("Conv", [x, f"w{index}"], [f"c{index}"], strides=[2, 2], pads=[1] * 4)
        )
        nodes.append(helper.make_node("Relu", [f"c{index}"], [y]))
    last = f"x{len(widths) - 1}"
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, widths[-1], 2, 2])],
        weights,
    )
    opsets = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


@pytest.mark.parametrize(
    ("target", "precisions"),
    [("tflite", "fp32,fp16"), ("mnn", "fp32,fp16,w8")],
)
def test_no_process_takes_more_than_8_times_the_model(large, tmp_path, target, precisions):
    small = _model(tmp_path / "small.onnx", [*_WIDTHS[:1], *(8 for _ in _WIDTHS[1:])])
    libraries, peaks = (
        _peaks(
            [
                *(sys.executable, "-m", "mobileq", "convert", str(model)),
                *("-o", str(tmp_path / model.stem), "--target", target),
                *("--precision", precisions, "--no-cache"),
            ],
            tmp_path / "log",
        )
        for model in (small, large)
    )

    # Libraries alone take 188 MB with Python 3.12 and 232 with 3.13 (TFLite, x86-64).
    limit = _MOST_TIMES * large.stat().st_size + max(libraries.values())
    assert len(peaks) > 3  # it has seen the children
    assert {what: peak for what, peak in peaks.items() if peak > limit} == {}


def _peaks(command: list[str], log: Path) -> dict[str, int]:
    """Most bytes that each process of a command had in memory at once, by pid and arguments.

    A child between fork and exec still has its parent's arguments and memory: what a process was
    before it started its own program is dropped. The command itself comes first.
    """
    found: dict[int, tuple[str, int]] = {}
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
        while process.poll() is None:
            for pid in _family(process.pid):
                try:
                    status = Path(f"/proc/{pid}/status").read_text()
                    name = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
                except OSError:  # it has just ended
                    continue
                peak = next((x for x in status.splitlines() if x.startswith("VmHWM")), None)
                if peak is not None:  # one that has ended has neither memory nor arguments any more
                    found[pid] = (name, int(peak.split()[1]) * 1024)
            time.sleep(0.02)
    assert process.returncode == 0, log.read_text()
    return {f"{pid} {name}": peak for pid, (name, peak) in found.items()}


def _family(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        children = [
            int(child)
            for thread in threads
            for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        ]
    except OSError:
        return []
    return [pid, *(each for child in children for each in _family(child))]


_COLLECTING = """
import sys
from pathlib import Path
import numpy as np
from mobileq.calibration.statistics import collect
from mobileq.progress import Silent
feeds = [{"x0": np.zeros((1, 3, 32, 32), np.float32)}]
collect(Path(sys.argv[1]).read_bytes(), None, feeds, Silent())
"""


def test_statistics_take_the_model_twice_beside_its_bytes(large, tmp_path):
    peaks = _peaks([sys.executable, "-c", _COLLECTING, str(large)], tmp_path / "log")
    limit = 4 * large.stat().st_size + 130e6  # numpy and ONNX Runtime
    own, peak = next(iter(peaks.items()))
    assert "-c " in own
    assert peak < limit
