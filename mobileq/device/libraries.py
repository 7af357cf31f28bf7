"""Native libraries that a person has, for what runs on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mobileq.android.native_libraries import elf_abi
from mobileq.errors import UsageError, unreadable
from mobileq.regular_file import MAX_MODEL_BYTES, read_regular


def same_abi(folder: Path, abi: str, patterns: Sequence[str], *, named: bool) -> list[Path]:
    """Libraries of one ABI in a folder, or in its folder of that ABI's name.

    Args:
        named: The person gave the folder: one of another ABI in it is an error, as is none at all.
            Else such files are passed over.

    Raises:
        UsageError: See `named`.
        InputError: One cannot be read.
    """
    if named and not folder.is_dir():
        raise UsageError(f"{folder} is no folder.", "Give the folder that holds the .so files.")
    place = folder / abi if (folder / abi).is_dir() else folder
    paths = sorted({path for pattern in patterns for path in place.glob(pattern) if path.is_file()})
    found = []
    for path in paths:
        other = elf_abi(_read(path))
        if other == abi:
            found.append(path)
        elif named:
            built = f"is built for {other}" if other else "is no library for Android"
            raise UsageError(f"{path} {built}; {abi} is needed.", f"Give the .so files of {abi}.")
    if named and not found:
        raise UsageError(
            f"{place} has none of {', '.join(patterns)}.", f"Give the .so files of {abi}."
        )
    return found


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_MODEL_BYTES, "a library")
    except OSError as error:
        raise unreadable(path, error) from error
