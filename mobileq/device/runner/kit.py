"""What goes onto a phone beside a bundle: the runner, and the runtimes' native libraries."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mobileq.errors import InputError, MissingDependencyError
from mobileq.paths import StrPath

JAR, APK = "runner.jar", "runner.apk"
FOLDER_VARIABLE = "MOBILEQ_RUNNER_DIR"
_PACKAGED = Path(__file__).resolve().parents[2] / "assets" / JAR
"""Where the wheel has it, if it was there when the wheel was built."""
_JNI = "jni/"
_MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class Kit:
    """A folder with `runner.jar`, `lib/ABI/*.so`, and where it was asked for `runner.apk`."""

    folder: Path

    @property
    def jar(self) -> Path:
        """The runner, for app_process."""
        return self.folder / JAR

    @property
    def apk(self) -> Path:
        """The same as an app; need not be there."""
        return self.folder / APK

    def libraries(self, abi: str) -> list[Path]:
        """The runtimes' own code, for one ABI."""
        return sorted((self.folder / "lib" / abi).glob("*.so"))

    @property
    def abis(self) -> list[str]:
        """What there are libraries for."""
        return sorted(path.name for path in (self.folder / "lib").glob("*") if any(path.iterdir()))


def kit_folder() -> Path:
    """Where the kit is kept, unless another folder is named: $MOBILEQ_RUNNER_DIR, else with the
    user's data."""
    import platformdirs

    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("mobileq") / "runner"


def packaged_jar() -> Path | None:
    """The runner that came with mobileq; None where it was built without."""
    return _PACKAGED if _PACKAGED.is_file() else None


def find_kit(named: StrPath | None = None) -> Kit:
    """The kit in a folder, by default `kit_folder()`.

    Raises:
        MissingDependencyError: There is none.
    """
    kit = Kit(Path(named) if named is not None else kit_folder())
    if not kit.jar.is_file() or not kit.abis:
        raise MissingDependencyError(
            f"There is no runner in {kit.folder}.",
            "Make one: mobileq runner build --aar LITERT.aar ... (or --fetch); see docs/phones.md.",
        )
    return kit


def native_libraries(archives: Iterable[Path]) -> dict[str, bytes]:
    """{`ABI/libNAME.so`: content} of Android libraries (.aar).

    Raises:
        InputError: One is no archive.
    """
    found = {}
    for path in archives:
        with _opened(path) as archive:
            for entry in archive.infolist():
                name = entry.filename.removeprefix(_JNI)
                is_ours = name != entry.filename and name.count("/") == 1 and name.endswith(".so")
                if is_ours and ".." not in name and entry.file_size <= _MOST_BYTES:
                    found[name] = archive.read(entry)
    return found


def classes_jar(path: Path) -> bytes:
    """The Java classes of an Android library, as a jar.

    Raises:
        InputError: It is no archive, or has none.
    """
    with _opened(path) as archive:
        try:
            return archive.read("classes.jar")
        except KeyError:
            raise InputError(
                f"{path} has no classes.jar: it is no Android library.", "Give an .aar file."
            ) from None


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or "it is no archive"
        raise InputError(f"{path} cannot be read: {reason}.", "Give an .aar file.") from error
