"""Single files of a command: the place is tried first, and a file is whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mobileq.errors import InputError, MobileqError, UsageError
from mobileq.workflows.results import require_file_place, require_folder_place, written_whole


def test_a_place_is_tried_and_nothing_is_left(tmp_path: Path) -> None:
    require_file_place(tmp_path / "new" / "a.json", "--coco")
    require_folder_place(tmp_path / "new" / "drawn", "--output")
    assert list(tmp_path.iterdir()) == []


def test_what_stands_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a folder") as caught:
        require_file_place(tmp_path, "--coco")
    assert "--coco" in caught.value.hint
    with pytest.raises(UsageError, match="is not a folder"):
        require_folder_place(tmp_path / "file", "--output")
    with pytest.raises(InputError, match="cannot be written"):
        require_file_place(tmp_path / "file" / "a.json", "--coco")


def test_a_file_appears_whole_with_its_folders(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.json"
    with written_whole(target, "--coco") as file:
        assert file.suffix == ".json", "OpenCV goes by it"
        file.write_text("1")
        assert not target.exists()
    assert target.read_text() == "1"
    assert os.listdir(target.parent) == ["a.json"]


def test_what_was_there_stays_where_writing_fails(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(RuntimeError), written_whole(target, "--coco") as file:  # noqa: PT012
        file.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_full_disk_names_the_option(tiny_disk: Path) -> None:
    with pytest.raises(MobileqError, match="is full") as caught:  # noqa: SIM117
        with written_whole(tiny_disk / "a.bin", "--coco") as file:
            file.write_bytes(bytes(1 << 20))
    assert "--coco" in caught.value.hint
    assert os.listdir(tiny_disk) == []
