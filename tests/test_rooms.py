"""What the doors cost: which files a task or a runtime has to be named in outside its room."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def named() -> dict[str, set[str]]:
    """{task or runtime: files outside its room that name it}."""
    command = [sys.executable, str(ROOT / "tools" / "rooms.py"), "--json"]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    kinds = {**found["tasks"], **found["runtimes"]}
    return {kind: set(files) for kind, files in kinds.items()}


def test_the_second_task_is_named_in_three_files(named: dict[str, set[str]]) -> None:
    assert named["classify"] == {
        "mobileq/__init__.py",
        "mobileq/spec/__init__.py",
        "mobileq/tasks/base.py",
    }


def test_the_third_runtime_is_named_in_one_file(named: dict[str, set[str]]) -> None:
    """An app's would be in `mobileq/android/runtimes.py` as well."""
    assert named["onnxruntime"] == {"mobileq/targets/registry.py"}


@pytest.mark.parametrize(("kind", "most"), [("detect", 29), ("tflite", 10), ("mnn", 15)])
def test_those_that_were_there_before_the_doors_are_named_in_no_more_files_than_now(
    named: dict[str, set[str]], kind: str, most: int
) -> None:
    assert len(named[kind]) <= most, sorted(named[kind])
