"""Children that find the handlers of `handlers.py`, and a log file of each test's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobileq.logfile import log_path


@pytest.fixture(autouse=True)
def log_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What children print lands here."""
    monkeypatch.setenv("MOBILEQ_LOG_DIR", str(tmp_path / "logs"))
    found = (str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, found)))
    log_path.cache_clear()
    yield log_path()
    log_path.cache_clear()
