"""Runs of ONNX Runtime end where they are told to."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from mobileq.onnx_runtime import Session, open_session, session_options
from tests.graph.builders import model_of
from tests.graph.hostile import endless

RUN = """
import sys, time
from pathlib import Path
import numpy as np
from mobileq.onnx_runtime import open_session, session_options
session = open_session(Path(sys.argv[1]), session_options(1))
print("runs", flush=True)
started = time.monotonic()
try:
    session.run(None, {"x": np.ones(1, np.float32)})
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


@pytest.fixture
def session() -> Session:
    model = model_of("g (float[2] x) => (float[2] y, float[2] z) { y = Neg(x) z = Abs(y) }")
    return open_session(model, session_options(1))


def test_run_gives_the_outputs_asked_for(session: Session) -> None:
    x = np.array([1, -2], np.float32)
    assert session.output_names == ("y", "z")
    assert [each.tolist() for each in session.run(None, {"x": x})] == [[-1, 2], [1, 2]]
    assert [each.tolist() for each in session.run(["z"], {"x": x})] == [[1, 2]]


def test_other_threads_run_by_themselves(session: Session) -> None:
    found: list[list[float]] = []
    work = threading.Thread(
        target=lambda: found.append(session.run(["y"], {"x": np.ones(2, np.float32)})[0].tolist())
    )
    work.start()
    work.join(10)
    assert found == [[-1, -1]]


def test_errors_are_onnx_runtimes_own_and_what_follows_runs(session: Session) -> None:
    with pytest.raises(Exception, match=r"Invalid rank|invalid dimensions"):
        session.run(None, {"x": np.ones((2, 2), np.float32)})
    assert session.run(["y"], {"x": np.ones(2, np.float32)})[0].tolist() == [-1, -1]


def test_ctrl_c_stops_a_run_that_has_no_end(tmp_path: Path) -> None:
    onnx.save(endless(), tmp_path / "endless.onnx")
    command = [sys.executable, "-c", RUN, str(tmp_path / "endless.onnx")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "runs\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20)[0] == "stopped\n"
        assert process.returncode == 0
