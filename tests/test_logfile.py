"""Each run has a log file of its own, old ones go, and nothing else is ever touched."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobileq import logfile
from mobileq.logfile import KEPT_LOGS, log_path, logger


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Iterator[Path]:
    found = tmp_path / "deep" / "logs"
    monkeypatch.setenv("MOBILEQ_LOG_DIR", str(found))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "temporary"))
    log_path.cache_clear()
    logger.cache_clear()
    yield found
    log_path.cache_clear()
    logger.cache_clear()
    for handler in list(logging.getLogger("mobileq").handlers):
        handler.close()
        logging.getLogger("mobileq").removeHandler(handler)


def test_file_is_made_in_the_named_folder(folder):
    path = log_path()
    assert path.parent == folder
    assert re.fullmatch(rf"\d{{8}}-\d{{6}}-{os.getpid()}\.log", path.name)
    assert path.read_bytes() == b""


def test_one_process_has_one_file(folder, monkeypatch):
    first = log_path()
    monkeypatch.setattr("time.strftime", lambda form: "20990101-000000")
    assert log_path() == first


def test_old_files_are_deleted_and_the_latest_kept(folder):
    folder.mkdir(parents=True)
    old = [
        folder / f"2001{month:02}{day:02}-101010-999999999.log"
        for month in (1, 2)
        for day in range(14)
    ]
    for path in old:
        path.touch()
    ours = log_path()
    assert sorted(folder.iterdir()) == [*sorted(old)[-KEPT_LOGS + 1 :], ours]


def test_log_of_a_command_that_runs_is_kept(folder):
    folder.mkdir(parents=True)
    running = folder / f"20000101-101010-{os.getppid()}.log"
    running.touch()
    old = [folder / f"200101{day:02}-101010-999999999.log" for day in range(1, 28)]
    for path in old:
        path.touch()
    log_path()
    assert running.exists()
    assert not old[0].exists()


NOISY = """
import os, sys
from mobileq import logfile
logfile.own_stderr()
os.write(2, b"before\\n")
logfile.take_native_output()
os.write(2, b"of C code\\n")
print("of Python", file=sys.stderr)
assert sys.stderr.fileno() != 2 and not os.get_inheritable(sys.stderr.fileno())
print(logfile.log_path().read_text(), end="")
"""


def test_what_c_code_prints_lands_in_the_log_and_what_python_prints_does_not(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", NOISY],
        capture_output=True,
        text=True,
        env={**os.environ, "MOBILEQ_LOG_DIR": str(tmp_path)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "of C code\n", "before\nof Python\n")


def test_stderr_of_a_caller_is_left_alone(tmp_path, capfd):
    logfile.take_native_output()
    os.write(2, b"of C code\n")
    assert capfd.readouterr().err == "of C code\n"


def test_other_files_in_the_folder_are_left_alone(folder):
    folder.mkdir(parents=True)
    others = [folder / f"server-{i}.log" for i in range(30)]
    others += [folder / f"20010101-10101{i}-notes.log" for i in range(30)]
    others += [folder / "20010101-101010-999999999.log.gz"]
    for path in others:
        path.touch()
    log_path()
    assert all(path.exists() for path in others)


def test_old_file_that_cannot_be_deleted_is_no_error(folder):
    folder.mkdir(parents=True)
    for day in range(1, 28):
        (folder / f"200101{day:02}-101010-999999999.log").mkdir()  # not a file: unlink fails
    assert log_path().is_file()


def test_temporary_folder_stands_in_for_one_that_cannot_be_made(folder, tmp_path):
    folder.parent.write_text("a file where a folder should be")
    path = log_path()
    assert path.parent == tmp_path / "temporary" / f"mobileq-logs-{os.getuid()}"
    assert path.is_file()


def test_nowhere_is_better_than_an_error(folder, tmp_path):
    folder.parent.write_text("")
    (tmp_path / "temporary").write_text("")
    assert log_path() == Path(os.devnull)
    logger().error("lost")


def test_logger_writes_there_and_nowhere_else(folder, capsys, caplog):
    assert logger() is logger()
    try:
        raise ValueError("the reason")
    except ValueError:
        logger().exception("while %s", "testing")
    text = log_path().read_text()
    assert re.search(r"ERROR while testing\n(?s:.*)ValueError: the reason", text)
    assert capsys.readouterr() == ("", "")
    assert caplog.records == []


def test_import_makes_no_file(tmp_path):
    program = "import mobileq.logfile, mobileq.external.child"
    environment = {**os.environ, "MOBILEQ_LOG_DIR": str(tmp_path / "logs")}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    assert not (tmp_path / "logs").exists()
    assert logfile.KEPT_LOGS > 1
