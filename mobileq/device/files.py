"""Files of this computer in a folder of a phone: sent where they differ, verified, and gone on with
where the cable was pulled out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobileq.device.adb import Answer, DisconnectedError, OverdueError
from mobileq.device.facts import OLDEST_API, TEMPORARY, TOO_OLD, free_bytes
from mobileq.device.phone import Phone, quoted
from mobileq.errors import DeviceError, unreadable
from mobileq.hashing import file_digest
from mobileq.page import megabytes
from mobileq.progress import Progress
from mobileq.regular_file import open_regular

_HASHES = {"sha256sum": "sha256", "sha1sum": "sha1", "md5sum": "md5"}
"""Programs of toybox, best first: the sha2 ones came with Android 8. Without any, files are read
back."""
_PIECE = 1 << 18
_PATIENCE_S = 60.0
"""How long a phone that went away is waited for."""
_FRUITLESS = 3
"""After so many connections that broke before a byte was there, no other is tried."""
_SLOWEST = 5_000_000
"""Bytes a second that any phone hashes, or writes out at the end."""
_RESERVE = 1_000_000
"""Bytes that a disk needs beside the files' own."""


@dataclass(frozen=True)
class LocalFile:
    """A file to be on the phone: `name` is its path there, inside the folder."""

    name: str
    source: Path
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, source: Path, name: str) -> LocalFile:
        """As it is here now."""
        return cls(name, source, file_digest(source), source.stat().st_size)


@dataclass(frozen=True)
class _Copy:
    """What is on the phone: how long, and its hash in the phone's way."""

    size_bytes: int
    digest: str


class RemoteFolder:
    """A folder of a phone.

    Raises:
        DeviceError: The phone is too old.
    """

    def __init__(self, phone: Phone, path: str, progress: Progress) -> None:
        self._phone, self.path, self._progress = phone, path, progress
        tools = " ".join(_HASHES)
        said = self._run(
            f"getprop ro.build.version.sdk; for tool in {tools}; do "
            'command -v "$tool" >/dev/null && break; tool=; done; echo "tool:$tool"'
        ).text.split("tool:")
        api = said[0].strip()
        if api.isdigit() and int(api) < OLDEST_API:
            raise DeviceError(
                f"The device {phone.serial} has Android's API {api}, which is too old.",
                TOO_OLD,
            )
        self._tool = said[-1].strip()

    def names(self) -> list[str]:
        """Paths of all files in it."""
        found = self._run(f"cd {quoted(self.path)} 2>/dev/null && find . ! -type d -print0; true")
        return sorted(os.fsdecode(each[2:]) for each in found.out.split(b"\0") if each)

    def intact(self, files: Sequence[LocalFile]) -> dict[str, bool]:
        """Which of them are there, and whether each is as here."""
        copies = self._copies([self._place(each.name) for each in files])
        return {
            file.name: copy.size_bytes == file.size_bytes and copy.digest == self._local(file)
            for file, copy in zip(files, copies, strict=True)
            if copy
        }

    def require_space(self, files: Sequence[LocalFile]) -> None:
        """That what is still to be sent fits.

        Raises:
            DeviceError: It does not.
        """
        free = free_bytes(self._run(f"df -k {TEMPORARY}").text)
        places = [self._place(each.name) for each in files]
        there = self._bytes([*places, *map(self._part, files)])
        needed = sum(each.size_bytes for each in files) - there  # what is replaced goes first
        if free is not None and needed + _RESERVE > free:
            raise DeviceError(
                f"{TEMPORARY} of {self._phone.serial} has {megabytes(free)} free, and the files "
                f"need {megabytes(needed + _RESERVE)} more.",
                _FREE_SOME,
            )

    def remove(self, names: Iterable[str]) -> None:
        """Remove files of it; what is not there does not matter."""
        places = " ".join(quoted(self._place(name)) for name in names)
        if places:
            self._done(self._run(f"rm -rf {places}"), "removed")

    def remove_all(self) -> None:
        """Remove it."""
        self._done(self._run(f"rm -rf {quoted(self.path)}"), "removed")

    def bring(self, files: Sequence[LocalFile], title: str) -> None:
        """Send those that are not there as they are here. Raises as `require_space` and `send`."""
        intact = self.intact(files)
        missing = [each for each in files if not intact.get(each.name)]
        if missing:
            self.require_space(missing)
        self.send_all(missing, title)

    def send_all(self, files: Sequence[LocalFile], title: str) -> int:
        """Send files one after the other, with a bar of that title; gives their bytes. Raises as
        `send`."""
        total = sum(each.size_bytes for each in files)
        with self._progress.stage(title, total, "bytes") as advance:
            for file in files:
                self.send(file, advance)
        return total

    def send(self, file: LocalFile, fed: Callable[[int], None]) -> None:
        """Send a file; it gets its name when it is whole and verified.

        Args:
            fed: Told how many bytes more are on their way; fewer where some were lost.

        Raises:
            DeviceError: The disk is full, the phone stays away, or what arrives is another file.
        """
        place = self._place(file.name)
        for _ in range(2):
            copy = self._filled(file, fed)
            if copy and copy.digest == self._local(file):
                part = quoted(self._part(file))
                self._done(self._run(f"mv -f {part} {quoted(place)}"), "written")
                return
            self._run(f"rm -f {quoted(self._part(file))}")
            fed(-file.size_bytes)
        raise DeviceError(
            f"{file.name} arrived damaged on {self._phone.serial}, twice.",
            "Try another cable or port, or run: adb kill-server",
        )

    def _filled(self, file: LocalFile, fed: Callable[[int], None]) -> _Copy | None:
        """The part, brought to the file's length over as many connections as it takes."""
        begun, told, fruitless = self._right_so_far(file), 0, 0

        def tell(count: int) -> None:
            nonlocal told
            told += count
            fed(count)

        tell(begun)
        while True:
            try:
                self._append(file, begun, tell)
                return self._copies([self._part(file)])[0]
            except (DisconnectedError, OverdueError) as error:
                before, begun = begun, self._after(error, file)
                tell(begun - told)
                fruitless = fruitless + 1 if begun == before else 0
                if fruitless == _FRUITLESS:
                    raise

    def _after(self, error: DeviceError, file: LocalFile) -> int:
        """Wait for the phone that went away; how much of the file it has."""
        here = self._phone.serial
        self._progress.notice(f"The connection to {here} broke; waiting for it ...")
        while self._phone.is_back(_PATIENCE_S):
            try:
                begun = self._right_so_far(file)
            except DisconnectedError:
                continue
            size = megabytes(file.size_bytes)
            self._progress.notice(f"Going on with {file.name} at {megabytes(begun)} of {size}.")
            return begun
        raise DisconnectedError(
            f"The device {here} went away while {file.name} was sent to it.",
            "Plug it in again and repeat the command: it goes on where it stopped.",
        ) from error

    def _append(self, file: LocalFile, begun: int, fed: Callable[[int], None]) -> None:
        place, part = self._place(file.name), quoted(self._part(file))
        folder = quoted(place.rpartition("/")[0])
        script = f"mkdir -p {folder} && cat {'>>' if begun else '>'} {part}"
        limit_s = self._phone.adb.limit_s + file.size_bytes / _SLOWEST
        answer = self._phone.feed(script, _pieces(file.source, begun), fed, limit_s)
        if answer.code != 0 and "No space left" in answer.reason:
            self._run(f"rm -f {part}")
            raise DeviceError(
                f"The disk of {self._phone.serial} filled up while {file.name} was sent to it.",
                _FREE_SOME,
            )
        self._done(answer, "written")

    def _right_so_far(self, file: LocalFile) -> int:
        """Bytes of the file's beginning that are on the phone, from before."""
        (copy,) = self._copies([self._part(file)])
        if copy is None or not 0 < copy.size_bytes <= file.size_bytes:
            return 0
        return copy.size_bytes if copy.digest == self._local(file, copy.size_bytes) else 0

    def _copies(self, places: Sequence[str]) -> list[_Copy | None]:
        """What is on the phone at each place; None: no file."""
        if not places:
            return []
        digest = f'$({self._tool} < "$each")' if self._tool else ""
        answer = self._run(
            f"for each in {' '.join(map(quoted, places))}; do\n"
            f'[ -f "$each" ] && echo "$(wc -c < "$each") {digest}" || echo none\ndone'
        )
        self._done(answer, "read")
        found: list[_Copy | None] = []
        for place, line in zip(places, answer.text.splitlines(), strict=True):
            size, *digests = line.split()
            if size == "none":
                found.append(None)
            else:
                digest = digests[0] if digests else self._read_back(place)
                found.append(_Copy(int(size), digest))
        return found

    def _bytes(self, places: Sequence[str]) -> int:
        """Of the files at these places, together."""
        if not places:
            return 0
        answer = self._run(
            f"for each in {' '.join(map(quoted, places))}; do\n"
            '[ -f "$each" ] && wc -c < "$each"\ndone; true'
        )
        self._done(answer, "read")
        return sum(map(int, answer.text.split()))

    def _read_back(self, place: str) -> str:
        return hashlib.sha256(self._run(f"cat {quoted(place)}").out).hexdigest()

    def _local(self, file: LocalFile, count: int | None = None) -> str:
        """Hash of the file here, or of its first bytes, in the phone's way."""
        kind = _HASHES.get(self._tool, "sha256")
        if kind == "sha256" and count in (None, file.size_bytes):
            return file.sha256
        digest, rest = hashlib.new(kind), file.size_bytes if count is None else count
        for piece in _pieces(file.source, 0):
            digest.update(piece[:rest])
            rest -= min(rest, len(piece))
            if rest == 0:
                break
        return digest.hexdigest()

    def _run(self, script: str) -> Answer:
        # Hashing hundreds of megabytes takes its time.
        return self._phone.shell(script, limit_s=4 * self._phone.adb.limit_s)

    def _done(self, answer: Answer, what: str) -> None:
        if answer.code != 0:
            raise DeviceError(
                f"{self.path} of {self._phone.serial} cannot be {what}: {answer.reason}.",
                "See what is there: adb shell ls -la /data/local/tmp/mobileq",
            )

    def _place(self, name: str) -> str:
        return f"{self.path}/{name}"

    def _part(self, file: LocalFile) -> str:
        """Where a file grows: it may be another one than that of the same name before."""
        return f"{self.path}/.part-{file.sha256[:16]}"


_FREE_SOME = (
    "Free space on the phone, push fewer files (--artifact), or take bundles off it again: "
    "mobileq push BUNDLE --clean"
)


def _pieces(source: Path, begun: int) -> Iterator[bytes]:
    try:
        with open_regular(source) as file:
            file.seek(begun)
            while piece := file.read(_PIECE):
                yield piece
    except OSError as error:
        raise unreadable(source, error) from error
