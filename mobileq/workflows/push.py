"""`mobileq push`: a bundle's model files onto a phone, for what runs there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mobileq.bundle import (
    Bundle,
    artifacts_named,
    read_bundle,
    require_artifacts,
    verify_bundle,
)
from mobileq.device.adb import find_adb
from mobileq.device.facts import TEMPORARY
from mobileq.device.files import LocalFile, RemoteFolder
from mobileq.device.listing import chosen
from mobileq.device.phone import Phone
from mobileq.errors import InputError
from mobileq.manifest import MANIFEST_NAME
from mobileq.page import Page, Told, megabytes, plural
from mobileq.paths import StrPath
from mobileq.progress import Progress, listener

_LABELS = "labels.txt"


@dataclass(frozen=True)
class Pushed(Told):
    """What is on the phone now, as paths inside the folder.

    Attributes:
        folder: On the phone.
        sent: New or renewed.
        sent_bytes: Of these files; a push that goes on with one sends less.
        unchanged: Were there, as they are here.
        removed: Of an earlier bundle of that name.
    """

    serial: str
    folder: str
    sent: tuple[str, ...] = ()
    sent_bytes: int = 0
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def tell(self, page: Page) -> None:
        """A line for each file, and where they are."""
        for what in ("removed", "unchanged", "sent"):
            for name in getattr(self, what):
                page.line(f"{what}: {name}", "" if what == "sent" else "quiet")
        if self.sent:
            done = f"{plural(len(self.sent), 'file')} sent ({megabytes(self.sent_bytes)})"
        elif self.unchanged:
            done = "everything was there"
        else:
            done = "taken off" if self.removed else "nothing was there"
        page.line(f"{self.serial}:{self.folder}: {done}", "good")


def push(
    bundle: StrPath,
    artifact: str | Sequence[str] = (),
    *,
    clean: bool = False,
    serial: str | None = None,
    adb: StrPath | None = None,
    progress: Progress | None = None,
) -> Pushed:
    """Bring model files, labels and the manifest onto a phone: only what differs, each verified,
    the manifest last.

    Args:
        bundle: A bundle's folder.
        artifact: Which of its files: `tflite-int8`, or `int8` of every target; by default all.
        clean: Take the bundle off the phone instead; it need not be here any more.
        serial: The phone; else that of ANDROID_SERIAL, or the only one.
        adb: The program, where it is not on PATH or in an Android SDK.

    Raises:
        UsageError: There is no such bundle or artifact, or no choice among several phones.
        InputError: The bundle is not as it was written.
        MissingDependencyError: There is no adb.
        DeviceError: There is no phone, it has no room, or it stays away.
    """
    progress, path = listener(progress), Path(bundle)
    files = [] if clean else _files(path, (artifact,) if isinstance(artifact, str) else artifact)
    phone = Phone(chosen(find_adb(adb), serial))
    folder = RemoteFolder(phone, remote_path(path), progress)
    there = folder.names()
    if clean:
        folder.remove_all()
        return Pushed(serial=phone.serial, folder=folder.path, removed=tuple(there))
    return _pushed(phone, folder, path, files, there, progress)


def remote_path(bundle: Path) -> str:
    """A bundle's folder on every phone."""
    return f"{TEMPORARY}/mobileq/{bundle.resolve().name}"


def _pushed(
    phone: Phone,
    folder: RemoteFolder,
    bundle: Path,
    files: list[LocalFile],
    there: list[str],
    progress: Progress,
) -> Pushed:
    others = [each for each in _all_files(read_bundle(bundle)) if each.name in there]
    wanted = {each.name: each for each in (*others, *files)}
    with progress.stage("Comparing with what is on the phone"):
        intact = folder.intact(list(wanted.values()))
    missing = [each for each in files if not intact.get(each.name)]
    parts = {f".part-{each.sha256[:16]}" for each in missing}
    stale = [each for each in there if not intact.get(each) and each not in parts]
    kept = [each for each in there if intact.get(each)]
    if missing or stale:
        folder.require_space(missing)
        # First of all: what is there is no bundle until all of it is.
        folder.remove([MANIFEST_NAME, *stale])
        missing = [each for each in missing if each.name != MANIFEST_NAME]
        missing += [each for each in files if each.name == MANIFEST_NAME]
        kept = [each for each in kept if each != MANIFEST_NAME]
    total = folder.send_all(missing, f"Sending to {phone.serial}")
    sent = tuple(each.name for each in missing)
    return Pushed(
        serial=phone.serial,
        folder=folder.path,
        sent=sent,
        sent_bytes=total,
        unchanged=tuple(kept),
        removed=tuple(each for each in stale if each not in sent),
    )


def _files(path: Path, names: Sequence[str]) -> list[LocalFile]:
    """What is to be on the phone, the manifest last.

    Raises:
        UsageError: There is no such bundle or artifact.
        InputError: It is not as it was written.
    """
    bundle = read_bundle(path)
    require_artifacts(bundle)
    artifacts = artifacts_named(bundle, names)
    report = verify_bundle(path)
    differing = (*report.missing, *report.changed)
    if differing:
        raise InputError(
            f"{path} is not as it was written: {', '.join(differing[:3])}.",
            "See `mobileq verify`, and make the bundle again with `mobileq convert`.",
        )
    chosen_names = {*(each.path for each in artifacts), _LABELS, MANIFEST_NAME}
    return [each for each in _all_files(bundle) if each.name in chosen_names]


def _all_files(bundle: Bundle) -> list[LocalFile]:
    """All that a phone can have of a bundle, the manifest last."""
    entries = bundle.manifest.files
    names = [each.path for each in bundle.manifest.artifacts]
    names += [_LABELS] if _LABELS in entries else []
    files = [
        LocalFile(name, bundle.path / name, entries[name].sha256, entries[name].size_bytes)
        for name in names
    ]
    manifest = bundle.path / MANIFEST_NAME
    return [*files, LocalFile.of(manifest, MANIFEST_NAME)]
