"""Hashes of files: what results are found again by."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mobileq.errors import UsageError, unreadable
from mobileq.regular_file import open_regular


def file_digest(path: Path) -> str:
    """SHA-256 of a file, read in pieces.

    Raises:
        UsageError: There is no such file.
        InputError: It cannot be read.
    """
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise UsageError(f"There is no file {path}.", "Check the path.") from error
    except OSError as error:
        raise unreadable(path, error) from error
