"""Ctrl-C in any stage: exit code 130, one sentence, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from tests.graph.hostile import endless

from .commands import command_line, fingerprint, names_in
from .processes import PATIENCE_S, children, runs, wait_until_busy, wait_until_gone
from .terminal import OnTerminal, start_on_a_terminal

STAGES = (
    "Preparing demo.onnx",
    "Reading calibration pictures",
    "Converting with onnx2tf",
    "Verifying",
    "Quantizing to fp16",
    "Weight rounding",
)


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def _assert_stopped(command: OnTerminal, below: set[int]) -> None:
    assert command.end() == 130, command.shown
    assert "Error: Stopped; no file was left half-written." in command.text
    assert "Traceback" not in command.shown
    assert "KeyboardInterrupt" not in command.shown
    assert "Exception ignored" not in command.shown
    wait_until_gone(below)


linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")


@linux
@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_convert_stops_in_every_stage(
    demo: Path, bundle: Path, temporary: Path, stage: str
) -> None:
    before = fingerprint(bundle)
    arguments = ["convert", str(demo / "demo.onnx"), "-o", str(bundle), "--force", "--no-cache"]
    arguments += ["--calib", str(demo / "calibration" / "images"), "--calib-count", "4"]
    if stage == "Weight rounding":  # the last of the search, all of whose children are there
        arguments += ["--precision", "int8", "--calibrator", "mse"]
    else:
        arguments += ["--precision", "fp32,fp16"]
    command = start_on_a_terminal(arguments, TMPDIR=str(temporary))
    command.until(stage)
    below = children(command.process.pid)
    command.interrupt()
    _assert_stopped(command, below)
    assert fingerprint(bundle) == before
    assert [name for name in names_in(bundle.parent) if name.startswith(".")] == []
    assert names_in(temporary) == []


def test_an_import_is_not_interrupted_but_what_follows_is(tmp_path: Path) -> None:
    (tmp_path / "careless.py").write_text(
        "import os, signal, time\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(0.2)\n"
        "except BaseException:\n"
        "    raise ImportError('passed over')\n"
    )
    (tmp_path / "command.py").write_text(
        "import sys, time\n"
        "import mobileq.__main__ as command\n"
        "def work(arguments):\n"
        "    import careless\n"
        "    sys.stdout.write('imported\\n')\n"
        "    sys.stdout.flush()\n"
        "    time.sleep(600)\n"
        "command._run = work\n"
        "command.run()\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "command.py"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stdout) == (130, "imported\n")
    assert "Error: Stopped; no file was left half-written." in done.stderr


IN_THE_MIDDLE = {
    "of making a folder": ("with temporary_folder(): pass", "os", "mkdir"),
    "of removing one": ("with temporary_folder() as at: (at / 'file').touch()", "os", "unlink"),
    "of starting a child": ("child().close()", "subprocess.Popen", "_execute_child"),
    "of closing it": ("child().close()", "subprocess.Popen", "wait"),
    "of leaving it behind": ("child()", "subprocess.Popen", "poll"),
    "of noticing that": ("child()", "mobileq.external.child", "_end"),
}


@pytest.mark.parametrize("moment", IN_THE_MIDDLE)
def test_an_interruption_in_the_middle_leaves_nothing(
    tmp_path: Path, temporary: Path, moment: str
) -> None:
    work, owner, name = IN_THE_MIDDLE[moment]
    (tmp_path / "command.py").write_text(
        "import os, signal, subprocess, sys, time\n"
        "import mobileq.__main__ as command, mobileq.external.child\n"
        "from mobileq.external.child import Child\n"
        "from mobileq.staging import temporary_folder\n"
        "def child():\n"
        "    made = Child('time:sleep', stage='trying', tool='a tool')\n"
        "    print(made._process.pid, flush=True)\n"
        "    return made\n"
        f"as_it_is = {owner}.{name}\n"
        "def interrupted(*arguments, **options):\n"
        f"    {owner}.{name} = as_it_is\n"
        "    try:\n"
        "        return as_it_is(*arguments, **options)\n"
        "    finally:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "def work(arguments):\n"
        f"    {owner}.{name} = interrupted\n"
        f"    {work}\n"
        "    time.sleep(600)\n"
        "command._run = work\n"
        "command.run()\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "command.py"],
        capture_output=True, text=True, timeout=PATIENCE_S,
        env={**os.environ, "TMPDIR": str(temporary)},
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert "Error: Stopped; no file was left half-written." in done.stderr
    assert "ignored" not in done.stderr
    assert names_in(temporary) == []
    assert not any(runs(int(pid)) for pid in done.stdout.split())


@linux
def test_impatience_does_not_stop_the_tidying(demo: Path, bundle: Path, temporary: Path) -> None:
    before = fingerprint(bundle)
    arguments = ["convert", str(demo / "demo.onnx"), "-o", str(bundle), "--force", "--no-cache"]
    command = start_on_a_terminal(arguments, TMPDIR=str(temporary))
    command.until("Converting with onnx2tf")
    below = children(command.process.pid)
    for _ in range(6):
        command.interrupt()
        time.sleep(0.02)
    _assert_stopped(command, below)
    assert fingerprint(bundle) == before
    assert [name for name in names_in(bundle.parent) if name.startswith(".")] == []
    assert names_in(temporary) == []


@linux
@pytest.mark.parametrize("stage", ["Running onnx", "Running tflite-fp16"])
def test_validate_stops(demo: Path, bundle: Path, stage: str) -> None:
    before = fingerprint(bundle)
    arguments = ["validate", str(bundle), "--images", str(demo / "validation" / "images")]
    command = start_on_a_terminal(arguments)
    command.until(stage)
    below = children(command.process.pid)
    command.interrupt()
    _assert_stopped(command, below)
    assert fingerprint(bundle) == before
    assert [name for name in names_in(bundle.parent) if name.startswith(".")] == []


@linux
def test_detect_stops_and_leaves_whole_pictures_only(
    demo: Path, bundle: Path, tmp_path: Path
) -> None:
    coco, drawn = tmp_path / "results.json", tmp_path / "drawn"
    arguments = ["detect", str(bundle), str(demo / "validation" / "images")]
    arguments += ["--coco", str(coco), "-o", str(drawn)]
    command = start_on_a_terminal(arguments)
    command.until("Predicting")
    below = children(command.process.pid)
    command.interrupt()
    _assert_stopped(command, below)
    assert not coco.exists()
    assert all(path.suffix == ".jpg" for path in drawn.iterdir()) if drawn.exists() else True


@pytest.fixture
def commands() -> Iterator[list[subprocess.Popen[str]]]:
    """Whatever is still running is ended."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for child in started:
        child.kill()
        child.wait()


def _until_signals_are_obeyed(child: subprocess.Popen[str]) -> None:
    """Python itself catches SIGINT from its start, and SIGTERM never."""
    status = Path(f"/proc/{child.pid}/status")
    while child.poll() is None:
        caught = next(line for line in status.read_text().splitlines() if "SigCgt" in line)
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.002)


@linux
@pytest.mark.slow
def test_an_interruption_at_any_moment_leaves_nothing(
    demo: Path, bundle: Path, temporary: Path, commands: list[subprocess.Popen[str]]
) -> None:
    before = fingerprint(bundle)
    for delay in (0.0, 0.4, 0.9, 1.5):
        child = subprocess.Popen(
            command_line("convert", demo / "demo.onnx", "-o", bundle, "--force", "--no-cache"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        commands.append(child)
        _until_signals_are_obeyed(child)
        time.sleep(delay)
        assert child.poll() is None, "over before the signal: choose a shorter delay"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE_S)
        assert child.returncode == 130, err
        assert out == ""
        assert "Traceback" not in err
        assert "Error: Stopped; no file was left half-written." in err
        assert fingerprint(bundle) == before
        assert [name for name in names_in(bundle.parent) if name.startswith(".")] == []
        assert names_in(temporary) == []


@linux
def test_with_json_the_interruption_is_the_document(
    demo: Path, tmp_path: Path, commands: list[subprocess.Popen[str]]
) -> None:
    import json

    arguments = ("convert", demo / "demo.onnx", "-o", tmp_path / "out", "--no-cache", "--json")
    child = subprocess.Popen(
        command_line(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    commands.append(child)
    _until_signals_are_obeyed(child)
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 130
    assert json.loads(out)["error"]["exit_code"] == 130
    assert not (tmp_path / "out").exists()


def test_what_a_killed_run_left_is_cleared_by_the_next(
    demo: Path, tmp_path: Path, commands: list[subprocess.Popen[str]]
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    arguments = command_line("convert", demo / "demo.onnx", "-o", place / "out")
    child = subprocess.Popen([*arguments, "--no-cache"], stderr=subprocess.PIPE, text=True)
    commands.append(child)
    deadline = time.monotonic() + PATIENCE_S
    while not names_in(place) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.kill()
    child.communicate()
    assert [name for name in names_in(place) if name.startswith(".mobileq-")]
    done = subprocess.run([*arguments, "--precision", "fp32"], capture_output=True)
    assert done.returncode == 0
    assert names_in(place) == ["out"]


def test_the_signal_is_not_touched_where_main_is_called_as_a_function() -> None:
    code = (
        "import signal\n"
        "from mobileq.__main__ import main\n"
        "main(['--version'])\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@linux
def test_a_trial_run_without_end_is_stopped(tmp_path: Path, temporary: Path) -> None:
    model = tmp_path / "endless.onnx"
    onnx.save(endless("1,3,8,8"), model)
    arguments = ["convert", str(model), "-o", str(tmp_path / "out"), "--no-cache"]
    command = start_on_a_terminal(arguments, TMPDIR=str(temporary))
    command.until("Preparing")
    below = wait_until_busy(command.process.pid, 3)
    command.interrupt()
    _assert_stopped(command, below)
    assert names_in(temporary) == []
