"""What the Android tests share: compiled once per session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.android import jvm
from tests.android.golden_cases import write_cases


@pytest.fixture(scope="session")
def core_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pure Java core, compiled."""
    output = tmp_path_factory.mktemp("core")
    problems = jvm.javac(output, jvm.sources(jvm.CORE))
    assert not problems, problems
    return output


@pytest.fixture(scope="session")
def golden_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Golden cases of every head family."""
    folder = tmp_path_factory.mktemp("golden")
    assert write_cases(folder) > 200
    return folder
