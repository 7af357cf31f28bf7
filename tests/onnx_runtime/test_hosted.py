"""Whatever a model does in ONNX Runtime, this process goes on, and Ctrl-C ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from mobileq.errors import InputError, StoppedToolError, ToolError
from mobileq.external import inside
from mobileq.onnx_runtime import (
    Guest,
    Session,
    SessionError,
    SessionOptions,
    hold,
    hosted,
    kept_child,
    open_session,
)
from mobileq.parallel import in_parallel
from tests.cli.processes import PATIENCE_S, runs, wait_until_busy
from tests.graph.builders import model_of
from tests.graph.hostile import endless, slow_to_load, swelling

START = """
import sys
from pathlib import Path
import numpy as np
from mobileq.onnx_runtime import SessionOptions, open_session
from mobileq.parallel import in_parallel
def run(x):
    session.run(None, {"x": x})
x = np.ones(1, np.float32)
open_session(Path(sys.argv[2]), SessionOptions())
print("ready", flush=True)
try:
"""
END = """
except KeyboardInterrupt:
    print("stopped", flush=True)
"""
OPEN = "    session = open_session(Path(sys.argv[1]), SessionOptions(threads=1))\n"

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc and limits")


def pair() -> onnx.ModelProto:
    return model_of("g (float[2] x) => (float[2] y, float[2] z) { y = Neg(x) z = Abs(y) }")


@pytest.fixture
def session() -> Session:
    return open_session(pair(), SessionOptions(threads=1))


def worker(session: Session) -> int:
    """The process that runs it."""
    assert isinstance(session, hosted.HostedSession)
    return session._host.child._process.pid


def test_run_gives_the_outputs_asked_for(session: Session) -> None:
    x = np.array([1, -2], np.float32)
    assert session.output_names == ("y", "z")
    assert [each.tolist() for each in session.run(None, {"x": x})] == [[-1, 2], [1, 2]]
    assert [each.tolist() for each in session.run(["z"], {"x": x})] == [[1, 2]]


def test_outputs_that_are_no_arrays_are_none() -> None:
    model = model_of(
        "g (float[2] x) => (seq(float[2]) s, float[2] y) { s = SequenceConstruct(x) y = Neg(x) }"
    )
    found = open_session(model, SessionOptions()).run(None, {"x": np.ones(2, np.float32)})
    assert found[0] is None
    assert found[1].tolist() == [-1, -1]


def test_file_beside_the_current_folder_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(pair(), "pair.onnx")
    assert open_session(Path("pair.onnx"), SessionOptions()).output_names == ("y", "z")


def test_threads_run_side_by_side(session: Session) -> None:
    slow = open_session(endless(), SessionOptions(threads=1))
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises(StoppedToolError):
            slow.run(None, {"x": np.ones(1, np.float32)})
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    wait_until_busy(os.getpid(), 0.2)
    found = in_parallel(
        lambda x: session.run(["y"], {"x": x})[0], [np.ones(2, np.float32)] * 4, threads=2
    )
    assert [each.tolist() for _, each in found] == [[-1, -1]] * 4
    assert not ended.is_set()
    os.kill(worker(slow), signal.SIGTERM)
    assert ended.wait(PATIENCE_S)


def test_errors_are_onnx_runtimes_own_and_what_follows_runs(session: Session) -> None:
    with pytest.raises(SessionError, match=r"can't run the model.*(Invalid rank|invalid dim)"):
        session.run(None, {"x": np.ones((2, 2), np.float32)})
    assert session.run(["y"], {"x": np.ones(2, np.float32)})[0].tolist() == [-1, -1]


def test_error_of_a_model_in_memory_names_no_file() -> None:
    with pytest.raises(SessionError, match=r"can't load the model: \[.*Protobuf") as caught:
        open_session(b"nothing", SessionOptions())
    assert "/" not in caught.value.message


@linux
def test_model_that_swells_is_refused_and_what_follows_runs(session: Session) -> None:
    bomb = open_session(swelling(), SessionOptions())
    small = np.ones((1, 3, 8, 8), np.float32)
    assert bomb.run(None, {"x": small})[0].shape == (1, 16, 8, 8)
    with pytest.raises(InputError, match=r"The model takes more than 3\.2 GB to run once\."):
        bomb.run(None, {"x": small * 100})
    assert bomb.run(None, {"x": small})[0].shape == (1, 16, 8, 8)


def test_after_a_crash_the_next_session_has_another_child(session: Session) -> None:
    before = worker(session)
    os.kill(before, signal.SIGKILL)
    with pytest.raises(StoppedToolError, match=r"ONNX Runtime was killed.*running the model"):
        session.run(None, {"x": np.ones(2, np.float32)})
    session.close()
    again = open_session(pair(), SessionOptions())
    assert worker(again) != before
    assert again.run(["y"], {"x": np.ones(2, np.float32)})[0].tolist() == [-1, -1]


def test_block_has_one_child_which_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted, "_host", None)
    with kept_child():
        with kept_child():
            first = worker(open_session(pair(), SessionOptions()))
        assert worker(open_session(pair(), SessionOptions())) == first
    assert not runs(first)


def test_child_outlives_the_thread_that_needed_it_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted, "_host", None)
    found: list[Session] = []
    with kept_child():
        work = threading.Thread(target=lambda: found.append(open_session(pair(), SessionOptions())))
        work.start()
        work.join()
        time.sleep(0.2)
        assert found[0].run(["y"], {"x": np.ones(2, np.float32)})[0].tolist() == [-1, -1]


@linux
@pytest.mark.parametrize(
    ("model", "work"),
    [
        pytest.param(endless(), f"{OPEN}    run(x)\n", id="run"),
        pytest.param(endless(), f"{OPEN}    list(in_parallel(run, [x], 1))\n", id="thread"),
        pytest.param(slow_to_load(), OPEN, id="loading"),
    ],
)
def test_ctrl_c_ends_what_takes_long(tmp_path: Path, model: onnx.ModelProto, work: str) -> None:
    onnx.save(model, tmp_path / "long.onnx")
    onnx.save(pair(), tmp_path / "pair.onnx")
    command = [sys.executable, "-c", START + work + END]
    command += [str(tmp_path / name) for name in ("long.onnx", "pair.onnx")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        below = wait_until_busy(process.pid, 0.5)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE_S)[0] == "stopped\n"
        assert process.returncode == 0
    assert not any(runs(pid) for pid in below)


def test_what_is_held_is_fed_to_any_session_and_goes_with_its_last_use():
    model = model_of("agraph (float[2] x, float[2] y) => (float[2] z) { z = Sub(x, y) }")
    x, y = np.float32([5, 7]), np.float32([1, 2])
    with kept_child():
        sessions = [open_session(model, SessionOptions()) for _ in range(2)]
        held = hold({"x": x})
        for session in sessions:
            (found,) = session.run(None, {**held, "y": y})
            np.testing.assert_array_equal(found, [4, 5])
        # As names differ from model to model.
        np.testing.assert_array_equal(sessions[0].run(None, {"x": y, "y": held["x"]})[0], -found)
        number = held["x"].number
        del held
        sessions[1].close()
        host = hosted._running_host()
        fields = {"number": sessions[0].number, "names": ["z"], "held": {"x": number}}
        with pytest.raises(ToolError, match=f"KeyError: '{number}'"):
            host.request("run", fields, {"y": y})


class Counting:
    """A guest that counts what it is asked."""

    def __init__(self) -> None:
        self._count = 0

    def asked(self, fields, arrays):
        if fields.get("fails"):
            raise InputError("It is too much.", "Ask for less.")
        self._count += 1
        return {"count": self._count, "is_child": inside.is_child()}, arrays


def test_guest_works_where_sessions_are_until_it_is_closed(tmp_path: Path) -> None:
    onnx.save(model_of("agraph (float[2] x) => (float[2] z) { z = Neg(x) }"), tmp_path / "a.onnx")
    name = "tests.onnx_runtime.test_hosted:Counting"
    with kept_child():
        first, other = (Guest(name, tmp_path / "a.onnx") for _ in range(2))
        x = np.float32([5, 7])
        for count in (1, 2):
            fields, arrays = first.request("asked", {}, {"x": x})
            assert fields == {"count": count, "is_child": True}
            np.testing.assert_array_equal(arrays["x"], x)
        assert other.request("asked")[0]["count"] == 1
        with pytest.raises(InputError, match="It is too much"):
            other.request("asked", {"fails": True})
        assert other.request("asked")[0]["count"] == 2
        first.close()
        first.close()
        with pytest.raises(ToolError, match="KeyError"):
            first.request("asked")
