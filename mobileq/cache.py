"""Results kept between runs, found by what they were made from.

An entry is a folder of files under the key. The cache never makes a command fail: on a disk that
is full or cannot be written it turns itself off and says so in `ResultCache.notice`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from mobileq.errors import UsageError
from mobileq.regular_file import open_regular, read_regular
from mobileq.staging import abandoned, remove, staging_path, temporary_folder

SCHEMA_VERSION = 1
DEFAULT_MAX_BYTES = 2 * 1024**3
FOLDER_VARIABLE = "MOBILEQ_CACHE_DIR"
MAX_MB_VARIABLE = "MOBILEQ_CACHE_MAX_MB"

_KEY = re.compile(r"[0-9a-f]{64}")
_INDEX_NAME = "entry.json"
_FILES_NAME = "files"
_MAX_INDEX_BYTES = 16 * 1024 * 1024


class _Index(msgspec.Struct, forbid_unknown_fields=True):
    """What `entry.json` holds: (SHA-256, size in bytes) of every file."""

    files: dict[str, tuple[str, int]]

    @property
    def size_bytes(self) -> int:
        return sum(size for _, size in self.files.values())


class ResultCache:
    """A folder of results, of limited size, that several processes may use at once.

    A folder that `get` gave stays until `close` (or until this object goes): other processes do
    not evict what is in use. Close it, or use it in a `with` block.

    Args:
        folder: Where; else $MOBILEQ_CACHE_DIR, else the user's cache folder.
        max_bytes: Largest sum of file sizes; else $MOBILEQ_CACHE_MAX_MB (in MB of 1,000,000
            bytes), else 2 GiB. 0 turns the cache off.
        enabled: False turns the cache off.

    Raises:
        UsageError: $MOBILEQ_CACHE_MAX_MB is not a number of megabytes.
    """

    def __init__(
        self, folder: Path | None = None, max_bytes: int | None = None, enabled: bool = True
    ) -> None:
        self.folder = folder if folder is not None else _default_folder()
        self.max_bytes = max_bytes if max_bytes is not None else _default_max_bytes()
        self.enabled = enabled and self.max_bytes > 0
        self.notice: str | None = None
        """Why something was not kept, one sentence, or None."""
        self._entries = self.folder / f"v{SCHEMA_VERSION}"
        self._leases: dict[str, int] = {}
        weakref.finalize(self, _close_all, self._leases)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let other processes evict what this object gave out."""
        _close_all(self._leases)

    def key(self, stage: str, **parts: object) -> str:
        """Name of the result of a stage: SHA-256 of the canonical JSON of all that it depends on.

        Args:
            stage: What is computed, and the version of the code that does.
            parts: Specs, numbers, texts, and lists or dicts of those. Not paths: the same input
                in another folder gives the same result, so give content hashes.

        Raises:
            TypeError: A part cannot be written as JSON.
        """
        for name, part in parts.items():
            if isinstance(part, os.PathLike):
                raise TypeError(f"part {name} is a path; give a hash of the content")
        content = {"cache": SCHEMA_VERSION, "stage": stage, "parts": parts}
        plain = msgspec.to_builtins(content, str_keys=True, order="deterministic")
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def get(self, key: str) -> Path | None:
        """The folder with the files of an entry, checked against their hashes; None if there is
        none. Do not write to it. A damaged entry is removed.
        """
        place = self._place(key)
        if not self.enabled:
            return None
        try:
            lease = _lock(place / _INDEX_NAME, shared=True)
            if lease is None:
                return None
            self._keep(key, lease)
            if not _is_intact(place):
                self._release(key)
                self._remove(place)
                return None
        except OSError:  # damaged (a folder in place of a file), or the disk fails
            return None
        with suppress(OSError):  # a cache that can only be read still gives its results
            os.utime(place / _INDEX_NAME)
        return place / _FILES_NAME

    @contextmanager
    def put(self, key: str) -> Iterator[Path]:
        """Give an empty folder whose files become the entry when the block ends.

        If the block raises, nothing is kept, and the exception goes on. Where the cache is off,
        the folder is a temporary one and goes when the block ends, so take what you need before:
        or use `fetch`, which writes to its destination first.
        """
        place = self._place(key)
        staging = self._make_staging(place)
        if staging is None:
            with temporary_folder() as folder:
                yield folder
            return
        try:
            yield staging / _FILES_NAME
            self._publish(staging, place)
        finally:
            remove(staging)

    def fetch(
        self,
        key: str,
        destination: Path,
        make: Callable[[Path], None],
        read: Callable[[Path], object] | None = None,
    ) -> bool:
        """Fill a folder from the cache, or by `make`, and keep what `make` made.

        The cache's disk cannot get in the way: `make` writes to `destination` itself.

        Args:
            key: From `key`.
            destination: An existing, empty folder.
            make: Is called with `destination` where the cache has no entry.
            read: Reads what the entry holds; where it raises, the entry is none: its hashes are
                right, but somebody else wrote it.

        Returns:
            Whether the files came from the cache.
        """
        found = self.get(key)
        if found is not None and _copied(found, destination):
            if read is None or _reads(read, destination):
                return True
            self._release(key)
            self._remove(self._place(key))
            shutil.rmtree(destination, ignore_errors=True)
            destination.mkdir(exist_ok=True)
        make(destination)
        staging = self._make_staging(self._place(key))
        if staging is None:
            return False
        try:
            shutil.copytree(destination, staging / _FILES_NAME, dirs_exist_ok=True)
            self._publish(staging, self._place(key))
        except OSError as error:  # shutil.Error is one too
            self._turn_off(error)
        finally:
            remove(staging)
        return False

    def _place(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not a key of this cache")
        return self._entries / key[:2] / key

    def _make_staging(self, place: Path) -> Path | None:
        if not self.enabled:
            return None
        staging = staging_path(self._entries / "put")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            for left in abandoned(self._entries / "put"):
                remove(left)
            (staging / _FILES_NAME).mkdir(parents=True)
        except OSError as error:
            self._turn_off(error)
            return None
        return staging

    def _publish(self, staging: Path, place: Path) -> None:
        """Rename into place; where another process was first, its entry stays."""
        try:
            index = _Index(_hash_files(staging / _FILES_NAME))
            if index.size_bytes > self.max_bytes:
                self.notice = (
                    f"A result of {index.size_bytes:,} bytes is not cached, "
                    f"the limit is {self.max_bytes:,}."
                )
                return
            (staging / _INDEX_NAME).write_bytes(msgspec.json.encode(index))
            if place.exists() and not _is_intact(place):
                self._remove(place)
            if not place.exists():
                with suppress(FileExistsError):
                    _rename_new(staging, place)
            self._evict()
        except OSError as error:
            self._turn_off(error)

    def _evict(self) -> None:
        """Remove the entries used longest ago until the rest fits."""
        entries = sorted(self._list(), key=lambda entry: entry[0])
        total = sum(size for _, size, _ in entries)
        for _, size, place in entries:
            if total <= self.max_bytes:
                return
            if self._remove(place):
                total -= size

    def _list(self) -> Iterator[tuple[int, int, Path]]:
        """Time of last use, size in bytes and place of every entry."""
        for place in self._entries.glob("[0-9a-f][0-9a-f]/*"):
            try:
                used = (place / _INDEX_NAME).stat().st_mtime_ns
                yield used, _read_index(place).size_bytes, place
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
                # Damaged (an entry appears whole), or another process is just removing it.
                self._remove(place)

    def _remove(self, place: Path) -> bool:
        """Remove an entry unless somebody reads it; first out of its place, in one step."""
        lock = None
        with suppress(OSError):
            lock = _lock(place / _INDEX_NAME, shared=False)
            if lock is None and (place / _INDEX_NAME).exists():
                return False
        grave = staging_path(self._entries / "put")
        try:
            place.rename(grave)
        except OSError:
            return False
        finally:
            remove(grave)
            if lock is not None:
                os.close(lock)
        return True

    def _keep(self, key: str, lease: int) -> None:
        self._release(key)
        self._leases[key] = lease

    def _release(self, key: str) -> None:
        lease = self._leases.pop(key, None)
        if lease is not None:
            os.close(lease)

    def _turn_off(self, error: OSError) -> None:
        self.enabled = False
        reason = error.strerror or str(error)
        if isinstance(error, shutil.Error):  # a list of (source, target, message), one a file
            reason = re.sub(r"^\[Errno \d+\] |: '.*", "", str(error.args[0][0][2]))
        self.notice = f"Nothing more is cached in {self.folder}: {reason}."


def _close_all(leases: dict[str, int]) -> None:
    while leases:
        os.close(leases.popitem()[1])


def _default_folder() -> Path:
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("mobileq"))


def _default_max_bytes() -> int:
    chosen = os.environ.get(MAX_MB_VARIABLE)
    if not chosen:
        return DEFAULT_MAX_BYTES
    if not (chosen.isascii() and chosen.isdigit() and len(chosen) < 16):
        raise UsageError(
            f"{MAX_MB_VARIABLE} is {chosen!r}, which is not a whole number of megabytes.",
            f"Set it to a number, for example {MAX_MB_VARIABLE}=2000, or 0 for no cache.",
        )
    return int(chosen) * 1_000_000


def _hash_files(folder: Path) -> dict[str, tuple[str, int]]:
    """Hash and size of every file below `folder`, by its path with forward slashes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_dir():
            with open_regular(path) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size = os.fstat(file.fileno()).st_size
            found[path.relative_to(folder).as_posix()] = (digest, size)
    return found


def _copied(source: Path, destination: Path) -> bool:
    """Copy what a folder holds; leave the destination empty where that fails."""
    try:
        shutil.copytree(source, destination, dirs_exist_ok=True)
    except OSError:  # shutil.Error is one too
        shutil.rmtree(destination, ignore_errors=True)
        destination.mkdir(exist_ok=True)
        return False
    return True


def _reads(read: Callable[[Path], object], folder: Path) -> bool:
    try:
        read(folder)
    except Exception:  # whatever it is that cannot be read
        return False
    return True


def _read_index(place: Path) -> _Index:
    return msgspec.json.decode(
        read_regular(place / _INDEX_NAME, _MAX_INDEX_BYTES, "an index"), type=_Index
    )


def _is_intact(place: Path) -> bool:
    try:
        return _hash_files(place / _FILES_NAME) == _read_index(place).files
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return False


def _rename_new(source: Path, target: Path) -> None:
    """Rename a folder; FileExistsError where the target has come into being meanwhile."""
    try:
        source.rename(target)
    except OSError:
        if target.exists():
            raise FileExistsError(target) from None
        raise


def _lock(path: Path, *, shared: bool) -> int | None:
    """An open file descriptor that holds a lock; None where there is no file or the lock is taken.

    The lock goes with the descriptor, also when the process is killed.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        import fcntl
    except ImportError:  # Windows refuses to remove a file that is open, which does as well
        return descriptor
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:  # a network disk without locks
        return descriptor
    return descriptor
