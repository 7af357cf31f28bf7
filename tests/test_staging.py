"""Folders that go again, and what killed processes left of theirs."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from mobileq import logfile, staging
from mobileq.interruption import is_done_whole
from mobileq.staging import abandoned, staging_path, temporary_folder
from mobileq.workflows.failures import require_disk_space

LEAVES_ONE = """
import os, signal
from mobileq.staging import new_temporary_folder
print((new_temporary_folder() / "x").parent, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    staging._clear_once.cache_clear()
    return folder


def killed_process(code: str) -> Path:
    """What it printed last, before it was killed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return Path(done.stdout.strip())


def work_that_fails() -> None:
    with temporary_folder() as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").touch()
        assert folder.stat().st_mode & 0o077 == 0
        raise KeyError


def test_folder_goes_with_the_block_whatever_it_holds(temporary):
    with pytest.raises(KeyError):
        work_that_fails()
    assert list(temporary.iterdir()) == []


def use_one() -> None:
    with temporary_folder() as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").touch()


def interrupted_after(steps: int, work: Callable[[], None]) -> bool:
    """Whether the work was still going on after so many lines of it and of what it calls."""

    def trace(frame: FrameType, event: str, argument: object) -> object:
        nonlocal steps
        if event == "line":
            steps -= 1
            if steps == 0:
                raise KeyboardInterrupt
        return trace

    gc.disable()  # a callback of it would be interrupted too, and Hypothesis has one
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
        gc.enable()
    return False


def test_an_interruption_at_any_line_leaves_nothing_at_the_end(temporary):
    use_one()
    steps = 1
    while interrupted_after(steps, use_one):
        staging._remove_noted()
        assert list(temporary.iterdir()) == [], steps
        assert staging._noted == set()
        steps += 1
    assert steps > 50


def test_what_is_written_while_a_folder_is_removed_goes_too(temporary, monkeypatch):
    removed = shutil.rmtree

    def slowly(path: Path, **options: object) -> None:
        if writes:
            (path / writes.pop()).touch()
        monkeypatch.setattr("os.rmdir", refuse if writes else rmdir)
        removed(path, **options)

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOTEMPTY, "Directory not empty")

    rmdir, writes = os.rmdir, ["a", "b"]
    with temporary_folder() as folder:
        monkeypatch.setattr("shutil.rmtree", slowly)
    assert not folder.exists()


def test_what_a_killed_process_left_goes_with_the_next(temporary):
    left = killed_process(LEAVES_ONE)
    assert left.parent == temporary
    assert left.is_dir()
    with temporary_folder() as ours:
        assert list(temporary.iterdir()) == [ours]


def test_what_is_of_others_stays(temporary):
    with temporary_folder() as ours:
        pass
    machine = ours.name.split("-")[1:3]
    names = [
        f"mobileq-{'-'.join(machine)}-{os.getppid()}-01234567",  # a process that runs
        f"mobileq-another-{machine[1]}-999999999-01234567",
        f"mobileq-{machine[0]}-123abc-999999999-01234567",  # a container
        f"mobileq-{'-'.join(machine)}-999999999-notes",
        "mobileq-logs-0",
        "mobileq",
    ]
    for name in names:
        (temporary / name).mkdir()
    staging._clear_once.cache_clear()
    with temporary_folder() as ours:
        assert {path.name for path in temporary.iterdir()} == {*names, ours.name}


def test_what_was_left_beside_a_target_is_found_with_any_suffix(tmp_path):
    target = tmp_path / "results.json"
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from mobileq.staging import staging_path\n"
        "place = staging_path(Path(sys.argv[1]))\n"
        "for suffix in ('', '.old', '.json'):\n"
        "    place.with_name(place.name + suffix).touch()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, target])
    staging_path(target).touch()  # of a process that runs: this one
    assert len(list(tmp_path.iterdir())) == 4
    assert len(list(abandoned(target))) == 3
    assert list(abandoned(tmp_path / "other.json")) == []


def test_where_files_go_is_found_out_without_an_interruption(tmp_path, monkeypatch):
    """`gettempdir` tries a file there, which a Ctrl-C at that moment leaves."""
    seen: list[bool] = []

    def looked() -> str:
        seen.append(is_done_whole(sys._getframe()))
        return str(tmp_path)

    monkeypatch.setattr("tempfile.gettempdir", looked)
    logfile.log_path.__wrapped__()
    require_disk_space()
    with temporary_folder():
        pass
    assert seen == [True, True, True]
