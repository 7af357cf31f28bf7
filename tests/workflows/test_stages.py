"""Results of stages: made once for the same inputs, in a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mobileq.cache import ResultCache
from mobileq.progress import Silent
from mobileq.workflows.stages import Stages


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResultCache]:
    with ResultCache(tmp_path / "cache") as store:
        yield store


def _stages(store: ResultCache, scratch: Path) -> Stages:
    scratch.mkdir()
    return Stages(store, scratch, Silent())


def test_a_stage_with_the_same_inputs_is_not_run_again(store: ResultCache, tmp_path: Path) -> None:
    made: list[str] = []

    def result(scratch: str, **inputs: object) -> str:
        stages = _stages(store, tmp_path / scratch)
        folder = stages.folder("numbers")

        def make(folder: Path) -> None:
            made.append(scratch)
            (folder / "text").write_text(f"of {scratch}")

        stages.fill(folder, "numbers", make, **inputs)
        return (folder / "text").read_text()

    assert result("first", model="a", seed=0) == "of first"
    assert result("second", model="a", seed=0) == "of first"
    assert result("third", model="a", seed=1) == "of third"
    assert made == ["first", "third"]


def test_what_the_cache_has_and_cannot_be_read_is_made_anew(
    store: ResultCache, tmp_path: Path
) -> None:
    for scratch, text in (("first", "no number"), ("second", "12")):
        stages = _stages(store, tmp_path / scratch)
        folder = stages.folder("numbers")

        def make(folder: Path, text: str = text) -> None:
            (folder / "text").write_text(text)

        def read(folder: Path) -> int:
            return int((folder / "text").read_text())

        stages.fill(folder, "numbers", make, read, model="a")
    assert read(folder) == 12


def test_each_name_has_one_folder_and_each_model_one_workspace(
    store: ResultCache, tmp_path: Path
) -> None:
    stages = _stages(store, tmp_path / "scratch")
    stages.folder("source")
    with pytest.raises(FileExistsError):
        stages.folder("source")
    workspace = stages.workspace("ab" * 32)
    assert workspace == stages.workspace("ab" * 32) != stages.workspace("cd" * 32)
    assert workspace.is_dir()
