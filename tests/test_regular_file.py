"""Regular files are read whole up to a size; whatever else there is at a path is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mobileq.errors import UnusableFileError, unreadable
from mobileq.regular_file import open_regular, read_regular, require_regular


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 10])
def test_what_a_file_holds_is_read(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    assert read_regular(tmp_path / "f", 10, "a word") == content


def test_more_than_the_limit_is_refused_and_not_read(tmp_path):
    path = tmp_path / "f"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte that takes no space
    with pytest.raises(UnusableFileError) as caught:
        read_regular(path, 4 << 20, "a recipe")
    told = unreadable(path, caught.value)
    assert told.message == (f"{path} cannot be read: it has more than 4 MB, too much for a recipe.")
    assert told.hint == "Check that it is the right file."


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_file_that_states_no_size_is_read_to_its_end_or_to_the_limit():
    assert b"Threads:" in read_regular(Path("/proc/self/status"), 1 << 20, "a status")
    with pytest.raises(UnusableFileError):
        read_regular(Path("/proc/self/status"), 100, "a status")


@pytest.mark.parametrize("use", [open_regular, require_regular])
def test_pipes_and_devices_are_told_as_what_they_are(tmp_path, use):
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "pipe"), (Path(os.devnull), "device")):
        with pytest.raises(UnusableFileError) as caught:
            use(path)
        assert unreadable(path, caught.value).message == (
            f"{path} cannot be read: it is a {kind}, not a file."
        )


def test_folders_and_missing_files_give_the_errors_of_the_system(tmp_path):
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")
    with pytest.raises(ValueError, match="null"):
        open_regular(tmp_path / "a\0b")


def test_links_are_followed_and_files_not_waited_for_are_read_as_others_are(tmp_path):
    (tmp_path / "f").write_text("content")
    (tmp_path / "link").symlink_to("f")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"content"
