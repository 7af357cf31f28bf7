"""Write, read and verify a bundle: a folder with artifacts and a manifest that describes them.

A bundle appears whole or not at all: it is written beside its place under a temporary name and
renamed. An existing bundle stays as it is until that moment.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from mobileq.device_bench import Bench, carry_benches, device_benches, is_bench
from mobileq.errors import InputError, MobileqError, UsageError, unreadable
from mobileq.interruption import done_whole
from mobileq.manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    BundleManifest,
    FileEntry,
    content_hash,
    path_problem,
    read_manifest,
    to_json,
    write_manifest,
)
from mobileq.page import Page, Told
from mobileq.paths import StrPath
from mobileq.regular_file import read_regular
from mobileq.spec import Artifact
from mobileq.staging import abandoned, is_full_disk, remove, staging_path


@dataclass(frozen=True)
class Bundle(Told):
    """A bundle on disk: its folder and what its manifest says. It serves as a path, too."""

    path: Path
    manifest: BundleManifest

    def __fspath__(self) -> str:
        return str(self.path)

    def tell(self, page: Page) -> None:
        """Its files, and where it is."""
        self.manifest.tell(page)
        page.line(f"Bundle: {self.path}", "strong")

    @property
    def benches(self) -> list[Bench]:
        """How fast its files were on phones, the newest first; see `device_benches`."""
        return device_benches(self.path, self.manifest)

    def __repr__(self) -> str:
        return f"<Bundle {str(self.path)!r}: {len(self.manifest.artifacts)} artifacts>"


@dataclass(frozen=True)
class VerifyReport(Told):
    """Paths inside the bundle, sorted; all empty when every hash and size is as written."""

    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the bundle is exactly what was written."""
        return not (self.missing or self.changed or self.unexpected)

    def tell(self, page: Page) -> None:
        """What is not as it was written."""
        for what in ("changed", "missing", "unexpected"):
            for path in getattr(self, what):
                page.line(f"{what}: {path}", "bad")
        if self.ok:
            page.line("Every file is as it was written.", "good")


class BundleWriter:
    """Collect a bundle's files; `finish` puts them in place, anything else leaves no trace.

    ```python
    with BundleWriter(Path("yolov5n-bundle"), force=True) as writer:
        writer.add_file("models/yolov5n-int8.tflite", converted)
        bundle = writer.finish(manifest)
    ```

    Args:
        output: The bundle's folder. Folders above it are created. An empty one is used as it is.
        force: Replace the bundle that is there. What is not a bundle is never replaced.
    """

    def __init__(self, output: Path, *, force: bool = False) -> None:
        # A link to a bundle keeps pointing there, and "." has a name to put a folder beside.
        self.output = Path(os.path.realpath(output))
        if self.output.parent == self.output:
            raise UsageError(f"{output} is the root of the file system.", "Choose a folder in it.")
        self._force = force
        self._staging = staging_path(self.output)
        self._old = self._staging.with_name(self._staging.name + ".old")
        self._added_bytes = 0

    def __enter__(self) -> Self:
        """Check the place and make the temporary folder.

        Raises:
            UsageError: Something is there that may not be replaced.
            InputError: The folder cannot be made.
        """
        self._check_output()
        try:
            self.output.parent.mkdir(parents=True, exist_ok=True)
            self._clear_abandoned()
            # Not tempfile.mkdtemp: a bundle is as readable as any new folder.
            self._staging.mkdir()
        except OSError as error:
            raise self._not_writable(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove what is not in place."""
        remove(self._staging)
        if self._old.exists() and self.output.exists():
            remove(self._old)

    def add_bytes(self, path: str, data: bytes) -> None:
        """Write one file.

        Args:
            path: Inside the bundle, with forward slashes.
            data: What it holds.

        Raises:
            ValueError: The path leaves the bundle or is already taken.
            MobileqError: The disk is full or cannot be written.
        """
        try:
            with self._create(path) as target:
                target.write(data)
        except OSError as error:
            raise self._write_failed(error, len(data)) from error
        self._added_bytes += len(data)

    def add_file(self, path: str, source: Path) -> None:
        """Copy one file.

        Raises:
            ValueError: The path leaves the bundle or is already taken.
            InputError: `source` cannot be read.
            MobileqError: The disk is full or cannot be written.
        """
        try:
            reader = source.open("rb")
        except OSError as error:
            raise unreadable(source, error) from error
        with reader:
            needed = os.fstat(reader.fileno()).st_size
            try:
                with self._create(path) as target:
                    shutil.copyfileobj(reader, target, 1024 * 1024)
            except OSError as error:
                raise self._write_failed(error, needed) from error
        self._added_bytes += needed

    def finish(self, manifest: BundleManifest) -> Bundle:
        """Fill in `files` and `content_sha256`, write the manifest, put the bundle in place.

        Raises:
            ValueError: An artifact of the manifest was not added, or with another content.
            UsageError: Something appeared at the output meanwhile.
            MobileqError: The disk is full or cannot be written.
        """
        try:
            files = {path: _entry(self._staging / path) for path in _walk(self._staging)}
            manifest = msgspec.structs.replace(manifest, files=files)
            sealed = write_manifest(manifest, self._staging / MANIFEST_NAME)
            carry_benches(self.output, self._staging, sealed)
        except OSError as error:
            raise self._write_failed(error, len(to_json(manifest))) from error
        self._check_output()
        try:
            self._swap()
        except OSError as error:
            raise self._not_writable(error) from error
        remove(self._old)
        return Bundle(self.output, sealed)

    def _create(self, path: str) -> BinaryIO:
        problem = path_problem(path)
        if problem or path == MANIFEST_NAME:
            raise ValueError(problem or f"{path} is written by finish()")
        target = self._staging / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            return target.open("xb")
        except FileExistsError:
            raise ValueError(f"{path} was added twice") from None

    def _check_output(self) -> None:
        output = self.output
        try:
            os.lstat(output)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:  # a name that is too long, or in a folder that is closed
            raise self._not_writable(error) from error
        if not output.is_dir():
            raise UsageError(f"{output} exists and is not a folder.", "Choose another --output.")
        try:
            names = os.listdir(output)
        except OSError as error:
            raise unreadable(output, error) from error
        if os.path.ismount(output):  # renaming would fail, but only after all the work
            raise UsageError(f"{output} is a mount point.", "Choose a folder inside it.")
        if not names:
            return
        if not _looks_like_bundle(output):
            raise UsageError(
                f"{output} exists and is not a bundle, so it is not replaced.",
                "Choose another --output, or move what is there away.",
            )
        if not self._force:
            raise UsageError(f"{output} exists already.", "Replace it with --force.")

    @done_whole
    def _swap(self) -> None:
        """Two renames: no system that Python runs on can exchange folders portably."""
        try:
            if self.output.exists():
                self.output.rename(self._old)
            self._staging.rename(self.output)
        except BaseException:
            if self._old.exists() and not self.output.exists():
                self._old.rename(self.output)
            raise

    def _clear_abandoned(self) -> None:
        for path in abandoned(self.output):
            if path.suffix == ".old" and not self.output.exists():
                path.rename(self.output)  # killed between the two renames
                self._check_output()
            else:
                remove(path)

    def _write_failed(self, error: OSError, needed: int) -> MobileqError:
        folder = self.output.parent
        if not is_full_disk(error):
            return self._not_writable(error)
        # What was written of this bundle goes anyway, and counts as free again.
        remove(self._staging)
        needed += self._added_bytes
        free = "an unknown number"
        with suppress(OSError):
            free = f"{shutil.disk_usage(folder).free:,}"
        return MobileqError(
            f"The disk of {folder} is full: the bundle needs {needed:,} bytes, {free} are free.",
            "Free some space, or choose an --output on another disk.",
        )

    def _not_writable(self, error: OSError) -> MobileqError:
        hint = "Choose an --output in a folder that you may write to."
        if error.errno == errno.ENAMETOOLONG:
            hint = "Choose a shorter --output."
        return InputError(f"{self.output} cannot be written: {error.strerror}.", hint)


def read_bundle(path: StrPath) -> Bundle:
    """Read a bundle's manifest; its files are not looked at.

    Raises:
        UsageError: There is no such folder.
        InputError: It is not a bundle, or its manifest cannot be used.
    """
    path = Path(path)
    if not path.is_dir():
        raise UsageError(f"There is no folder {path}.", "Give the folder of a bundle.")
    manifest = path / MANIFEST_NAME
    if not os.path.lexists(manifest):
        raise InputError(
            f"{path} is not a bundle: it has no {MANIFEST_NAME}.",
            "Make one with `mobileq convert`.",
        )
    return Bundle(path, read_manifest(manifest))


def require_artifacts(bundle: Bundle) -> None:
    """That there is something to run. Raises InputError where the bundle lists no model file."""
    if not bundle.manifest.artifacts:
        raise InputError(
            f"The bundle {bundle.path} has no model files.",
            "Make it again with `mobileq convert`.",
        )


def artifacts_named(bundle: Bundle, names: Sequence[str]) -> tuple[Artifact, ...]:
    """Of each name (`tflite-int8`, `int8` of every target, or a file's) those that have it; all
    where none is given.

    Raises:
        UsageError: There is none of that name.
    """
    artifacts = bundle.manifest.artifacts
    if not names:
        return artifacts
    found: list[Artifact] = []
    for name in names:
        named = [a for a in artifacts if name in (a.name, a.precision, a.file_name)]
        if not named:
            known = ", ".join(each.name for each in artifacts)
            raise UsageError(f"{bundle.path} has no artifact {name!r}.", f"Choose of: {known}.")
        found += named
    return tuple(found)


def verify_bundle(path: StrPath) -> VerifyReport:
    """Compare every file with the manifest: size, hash, and that there are no others but what was
    measured on phones, whose files hold their own hashes.

    `changed` holds `manifest.json` where the manifest itself is not what was written. A link
    counts as changed or unexpected: what it points to is not part of the bundle.

    Raises:
        UsageError: There is no such folder.
        InputError: It is not a bundle, its manifest cannot be used, or a file cannot be read.
    """
    path = Path(path)
    manifest = read_bundle(path).manifest
    try:
        found = set(_walk(path)) - {MANIFEST_NAME}
        others = sorted(n for n in found - manifest.files.keys() if not is_bench(path, n))
        changed = [
            name
            for name in found & manifest.files.keys()
            if _differs(path / name, manifest.files[name])
        ]
    except OSError as error:
        raise unreadable(error.filename or path, error) from error
    written = read_regular(path / MANIFEST_NAME, MAX_MANIFEST_BYTES, "a manifest")
    if content_hash(json.loads(written)) != manifest.content_sha256:
        changed.append(MANIFEST_NAME)
    return VerifyReport(
        missing=tuple(sorted(manifest.files.keys() - found)),
        changed=tuple(sorted(changed)),
        unexpected=tuple(others),
    )


def _walk(folder: Path) -> list[str]:
    """All that is not a folder, as sorted paths with forward slashes; links are not followed."""

    def fail(error: OSError) -> None:
        raise error

    found = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        found += [Path(parent, name).relative_to(folder).as_posix() for name in names + links]
    return sorted(found)


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileEntry(sha256=digest, size_bytes=os.fstat(file.fileno()).st_size)


def _differs(path: Path, entry: FileEntry) -> bool:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size != entry.size_bytes:
        return True
    return _entry(path) != entry


def _looks_like_bundle(folder: Path) -> bool:
    """Whether --force may replace it: `manifest.json` alone is also what web projects have."""
    try:
        head = msgspec.json.decode(
            read_regular(folder / MANIFEST_NAME, MAX_MANIFEST_BYTES, "a manifest")
        )
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(head, dict) and {"schema_version", "content_sha256"} <= head.keys()
