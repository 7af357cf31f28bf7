"""Runs `mobileq` as a person does, in this process or in one of its own, and reads what it says."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mobileq.__main__ import main


@dataclass(frozen=True)
class Result:
    """What one command gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout; fails where there is anything else."""
        return json.loads(self.out)

    @property
    def errors(self) -> list[str]:
        """What stderr says besides notes."""
        return [line for line in self.err.splitlines() if not line.startswith("Note: ")]


class Cli:
    """Calls `main` and takes what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Result:
        self._capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Result(code, *self._capsys.readouterr())

    def fails(self, code: int, *arguments: object) -> str:
        """Run a command that must fail as a person expects; gives its message and its remedy."""
        result = self(*arguments)
        assert_explained(result, code)
        return " ".join(result.errors)


def assert_explained(result: Result, code: int) -> None:
    """One sentence and a remedy on stderr, nothing else."""
    assert result.code == code, result
    assert result.out == ""
    assert len(result.errors) == 2, result.err
    message, remedy = result.errors
    assert message.startswith("Error: ")
    assert remedy.startswith("Try: ")
    assert "Traceback" not in result.err
    assert "should not" not in result.err, "a bug, not an answer"


def process(
    *arguments: object, timeout: float = 300, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    return subprocess.run(
        command_line(*arguments), capture_output=True, text=True, timeout=timeout, **options
    )


def command_line(*arguments: object) -> Sequence[str]:
    return [sys.executable, "-m", "mobileq", *map(str, arguments)]


def fingerprint(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def names_in(folder: Path) -> list[str]:
    """All names in a folder, hidden ones too."""
    return sorted(os.listdir(folder))
