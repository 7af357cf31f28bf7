"""Files that a command writes for a person: the place is tried before the work, then written whole.

Bundles have `mobileq.bundle`; this is for single files (COCO results, drawings, report.json).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mobileq.errors import InputError, MobileqError, UsageError
from mobileq.staging import abandoned, is_full_disk, remove, staging_path


def require_file_place(path: Path, option: str) -> None:
    """Make sure that a file can be written. Nothing is left behind.

    Args:
        path: The file; it and the folders above it need not exist.
        option: Which option named it, for the message.

    Raises:
        UsageError: A folder is there.
        InputError: The place cannot be written.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", f"Give {option} the name of a file.")
    if path.exists() and not path.is_file():  # a pipe or a device
        return
    _try(path, path.parent, option)


def require_folder_place(path: Path, option: str) -> None:
    """Make sure that files can be written into a folder, which need not exist.

    Raises:
        UsageError: A file is there.
        InputError: The place cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is not a folder.", f"Give {option} the name of a folder.")
    _try(path, path, option)


def _try(path: Path, folder: Path, option: str) -> None:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    probe = staging_path(folder / "probe")
    try:
        probe.touch()
    except OSError as error:
        raise _not_written(path, option, error) from error
    finally:
        remove(probe)


@contextmanager
def written_whole(path: Path, option: str) -> Iterator[Path]:
    """Give a temporary file name beside `path`, of the same suffix, that takes its place at the
    end of the block; where the block raises, `path` stays as it was.

    A pipe or a device is written directly: `--coco /dev/stdout` is not to be replaced by a file.

    Raises:
        MobileqError: The disk is full or cannot be written.
    """
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            yield path
            return
        for left in abandoned(path):
            left.unlink(missing_ok=True)
        staging = staging_path(path, path.suffix)
        try:
            yield staging
            staging.replace(path)
        finally:
            remove(staging)
    except OSError as error:
        raise _not_written(path, option, error) from error


def _not_written(path: Path, option: str, error: OSError) -> MobileqError:
    if is_full_disk(error):
        return MobileqError(
            f"The disk of {path.parent} is full.",
            f"Free some space, or choose another {option}.",
        )
    return InputError(
        f"{path} cannot be written: {error.strerror}.",
        f"Choose another {option}, in a folder that you may write to.",
    )
