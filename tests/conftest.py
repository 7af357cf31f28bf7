"""Fixtures that tests of several packages share."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from mobileq.external.child import Child

# OpenBLAS' threads spin while they wait for each other: on two busy cores the demo's weight
# rounding took 15 seconds with two of them and 1 with one. Read when numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Huge pages, for workers and all that tests start, and Python's own objects on them: in a virtual
# machine, where looking up a page takes two tables, tests of plain Python took twice the time
# without and conversions a fifth more. glibc and Python read both as they start.
os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
os.environ.setdefault("PYTHONMALLOC", "malloc")
# Container images like to forbid bytecode files; every process would compile the package anew, and
# the tests start some thousand. A tenth of a small model's conversion.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# A job in the background ignores Ctrl-C, and so would every command that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

STRICT = os.environ.get("MOBILEQ_TEST_STRICT") == "1"
"""As CI sets it: a test that is skipped has failed, and none depends on chance."""

# A busy machine is no failure. Examples that are new in each run are searched where a finding does
# not stop somebody else's change.
settings.register_profile("mobileq", deadline=None, derandomize=STRICT)
settings.load_profile("mobileq")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The models and photos that are not part of the project; skips where they are missing."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MOBILEQ_TEST_DATA") or default)
    if not (folder / "models").is_dir():
        pytest.skip(f"the data folder {folder} is missing (set MOBILEQ_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of conversions that all tests share, in whichever process they run: few of them
    make anything that no other has made. What is about the cache, or about making, has its own.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "results"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def children() -> Iterator[None]:
    """Of a file whose tests convert much, all use the same child processes: to start those takes
    most of the time that a small model does. Where they print, the first test's log is.
    """
    from mobileq.onnx_runtime import kept_child
    from mobileq.preparation import prepared_file
    from mobileq.targets.hosted import kept_children

    preparing = OneChild()
    with kept_child(), kept_children(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared_file, "Child", preparing)
        yield
    preparing.close()


class Lent(nullcontext["Child"]):
    """A child that others get as well, and that goes on when it is closed."""

    def prompt(self, command: str) -> None:
        self.enter_result.prompt(command)

    def close(self) -> None:
        pass


class OneChild:
    """In place of a `Child` for each request: one as long as it runs, and paths mean the same."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._folder = ""

    def __call__(self, handler: str, *, stage: str, tool: str, advice: str) -> Lent:
        from mobileq.external.child import Child

        folder = os.getcwd()
        if self._child is None or not self._child.is_running or folder != self._folder:
            self.close()
            self._child = Child(handler, stage=stage, tool=tool, advice=advice)
            self._folder = folder
        else:
            self._child.turn_to(stage, tool)
        return Lent(self._child)

    def close(self) -> None:
        if self._child is not None:
            self._child.close()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


WHOLE = ("tests/android/", "tests/device/runner/", "tests/targets/tflite/", "tests/targets/mnn/")
"""Folders whose tests share what takes long to make: compiled Java, conversions."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Each file goes to whichever worker is free, and each of `WHOLE`, so that no two make the
    same.
    """
    if config.getvalue("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByFileOrFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            within = (folder for folder in WHOLE if nodeid.startswith(folder))
            return next(within, super()._split_scope(nodeid))

    return ByFileOrFolder(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: the last of them would run alone while other workers wait."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    report: pytest.TestReport = yield
    if STRICT and report.skipped:
        reason = call.excinfo.exconly() if call.excinfo else "no reason given"
        report.outcome = "failed"
        report.longrepr = f"Skipped where nothing may be: {reason}"
    return report
