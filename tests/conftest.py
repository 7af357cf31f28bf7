"""Fixtures that tests of several packages share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The models and photos that are not part of the project; skips where they are missing."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MOBILEQ_TEST_DATA") or default)
    if not (folder / "models").is_dir():
        pytest.skip(f"the data folder {folder} is missing (set MOBILEQ_TEST_DATA)")
    return folder
