"""Commands and their children that are ended, stopped or starved from outside: the first cause is
the error, and nothing is left behind, or not for long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from .commands import Cli, Result, assert_explained, command_line, names_in, process
from .models import unconvertible
from .processes import PATIENCE_S, children, command_of, runs, wait_until_gone

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")


IMPATIENT = """
import mobileq.__main__ as command
from mobileq.external.child import Child
made = Child.__init__
def impatient(self, handler, **options):
    made(self, handler, **options)
    if "TfliteWorker" in handler:
        self._lines[0].patience._limit_s = 8
Child.__init__ = impatient
command.run()
"""
"""mobileq with little time for one tool: others may take longer, where much else runs."""

_WORKER = "TfliteWorker"
_HEARING = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def hearing(command: Sequence[str]) -> list[str]:
    """Python's command, which hears of a SIGHUP also where the tests were started by nohup."""
    return [sys.executable, "-c", _HEARING, *command[1:]]


class Running:
    """A command that is converting the demo, and its temporary folder.

    Args:
        program: What runs it, for `python -c`; by default mobileq itself.
    """

    def __init__(self, demo: Path, place: Path, program: str = "") -> None:
        self.place, self.temporary = place, place / "temporary"
        self.temporary.mkdir(parents=True)
        self.output = place / "out"
        command = command_line("convert", demo / "demo.onnx", "-o", self.output, "--no-cache")
        if program:
            command = [sys.executable, "-c", program, *command[3:]]
        self.process = subprocess.Popen(
            hearing(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(self.temporary)},
        )
        self.children = self._wait(self._converters)

    def _converters(self) -> set[int]:
        # A child that has just been forked has its parent's command line, whose program may name
        # the worker too; stopped there, it would keep the parent waiting for ever.
        below = {pid: command_of(pid) for pid in children(self.process.pid)}
        return {pid for pid, line in below.items() if "child_main" in line and _WORKER in line}

    def _wait(self, condition: Callable[[], set[int]]) -> set[int]:
        limit = time.monotonic() + PATIENCE_S
        while not (found := condition()):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < limit
            time.sleep(0.03)
        return found

    def end(self) -> Result:
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return Result(self.process.returncode, out, err)

    def assert_tidy(self) -> None:
        """No child, no temporary file, nothing beside the output."""
        wait_until_gone(self.children)
        assert names_in(self.temporary) == []
        assert names_in(self.place) == ["temporary"]


@pytest.fixture
def start(demo: Path, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts it; whatever still runs is killed in the end."""
    started: list[Running] = []

    def begin(program: str = "") -> Running:
        started.append(Running(demo, tmp_path / f"place{len(started)}", program))
        return started[-1]

    yield begin
    for each in started:
        for pid in (each.process.pid, *children(each.process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        each.process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_that_asks_to_end_takes_the_way_of_ctrl_c(
    start: Callable[..., Running], number: int, code: int
) -> None:
    running = start()
    running.process.send_signal(number)
    result = running.end()
    assert result.code == code
    assert result.errors == ["Error: Stopped; no file was left half-written."]
    assert result.out == ""
    running.assert_tidy()


def test_a_closed_terminal_is_no_other_error(demo: Path, tmp_path: Path) -> None:
    import pty

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        hearing(command_line("convert", demo / "demo.onnx", "-o", tmp_path / "out", "--no-cache")),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(temporary), "TERM": "xterm"},
    )
    os.close(theirs)
    while b"Converting with onnx2tf" not in os.read(ours, 65536):
        pass
    below = children(command.pid)
    os.close(ours)  # whatever is shown now gives an input/output error
    command.send_signal(signal.SIGHUP)
    assert command.wait(PATIENCE_S) == 129
    assert not [pid for pid in below if runs(pid)]
    assert names_in(tmp_path) == ["logs", "temporary"] or names_in(tmp_path) == ["temporary"]
    assert names_in(temporary) == []


def test_nohup_is_obeyed(demo: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal, mobileq.__main__ as command\n"
        "command._run = lambda arguments: os.kill(os.getpid(), signal.SIGHUP)\n"
        "command.run()\n"
    )
    done = subprocess.run(["nohup", sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_killed_run_left_in_the_temporary_folder_is_cleared_by_the_next(
    start: Callable[..., Running], demo: Path, made_bundle: Path
) -> None:
    running = start()
    running.process.kill()
    running.process.communicate()
    assert names_in(running.temporary)
    picture = demo / "validation" / "images" / "000.jpg"
    environment = {**os.environ, "TMPDIR": str(running.temporary)}
    assert process("detect", made_bundle, picture, env=environment).returncode == 0
    assert names_in(running.temporary) == []


def test_a_killed_tool_is_the_error(start: Callable[..., Running]) -> None:
    running = start()
    for pid in running.children:
        os.kill(pid, signal.SIGKILL)
    result = running.end()
    assert_explained(result, 1)
    message, remedy = result.errors
    assert "was killed (SIGKILL) while" in message
    assert "perhaps by the system for lack of memory" in message
    assert remedy.startswith("Try: Close other programs, and run the command again. ")
    assert "tensorflow" not in result.err
    running.assert_tidy()


def test_a_stuck_tool_is_told_of_and_ended(start: Callable[..., Running]) -> None:
    running = start(IMPATIENT)
    for pid in running.children:
        os.kill(pid, signal.SIGSTOP)
    result = running.end()
    assert_explained(result, 1)
    assert "for 4 seconds now; after 8 seconds it is ended (MOBILEQ_TOOL_LIMIT_S" in result.err
    assert "gave no answer within 8 seconds while" in result.errors[0]
    running.assert_tidy()


def test_a_full_disk_under_the_log_changes_nothing(
    demo: Path, tmp_path: Path, tiny_disk: Path
) -> None:
    (tiny_disk / "filler").write_bytes(bytes(1 << 16))
    environment = {**os.environ, "MOBILEQ_LOG_DIR": str(tiny_disk / "logs")}
    arguments = ("convert", demo / "demo.onnx", "-o", tmp_path / "out", "--precision", "fp32")
    done = process(*arguments, "--no-cache", env=environment)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith("Note: ") for line in done.stderr.splitlines())


def test_where_the_other_engine_is_not_installed_the_first_error_stays(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobileq.targets.tflite.target.find_spec_of", lambda package: None)
    said = cli.fails(1, "convert", unconvertible(tmp_path / "m.onnx"), "-o", tmp_path / "out")
    assert "volume" in said
    assert "not installed" not in said


def test_closed_streams_change_nothing(demo: Path, made_bundle: Path) -> None:
    import shlex

    picture = demo / "validation" / "images" / "000.jpg"
    command = shlex.join(command_line("detect", made_bundle, picture))
    whole = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert whole.returncode == 0
    for closed, kept in (("<&-", whole.stdout), ("<&- 2>&-", whole.stdout), ("<&- >&-", "")):
        done = subprocess.run(
            ["sh", "-c", f"{command} {closed}"], capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, kept, ""), closed
