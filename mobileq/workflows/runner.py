"""`mobileq runner build`: what goes onto a phone to run a bundle there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from mobileq.device.runner.build import build_kit
from mobileq.device.runner.fetch import R8, TFLITE, fetched
from mobileq.device.runner.kit import kit_folder, packaged_jar
from mobileq.errors import UsageError
from mobileq.page import Page, Told
from mobileq.paths import StrPath, optional_path
from mobileq.progress import Progress, listener


@dataclass(frozen=True)
class MadeRunner(Told):
    """A runner that is ready for phones.

    Attributes:
        path: Its folder.
        jar_bytes: Of the runner.
        abis: What there are native libraries for.
        is_new: False where all was as it is.
    """

    path: Path
    jar_bytes: int
    abis: tuple[str, ...]
    is_new: bool

    def tell(self, page: Page) -> None:
        """A line."""
        state = "made" if self.is_new else "there already"
        page.line(
            f"{self.path}: {state}, {self.jar_bytes / 1000:.0f} kB, for {', '.join(self.abis)}.",
            "good",
        )


def build_runner(
    aar: StrPath | Sequence[StrPath] = (),
    *,
    fetch: bool = False,
    r8: StrPath | None = None,
    output: StrPath | None = None,
    apk: bool = False,
    progress: Progress | None = None,
) -> MadeRunner:
    """Make the runner, and take the native libraries out of Android libraries.

    Args:
        aar: LiteRT's or TensorFlow Lite's .aar files; of a GPU delegate its own, too.
        fetch: Download what is not given, each file with the hash that it must have.
        r8: R8's jar; without, the runner that came with mobileq is taken.
        apk: Make an app of it, too, for phones that refuse app_process; needs a JDK.
        output: The folder; by default one of the user's data.

    Raises:
        UsageError: Something is not given that is needed.
        MobileqError: It can't be fetched. InputError, MissingDependencyError, ToolError: see
            `build_kit`.
    """
    progress = listener(progress)
    folder = optional_path(output) or kit_folder()
    downloads = folder.parent / f"{folder.name}-downloads"
    archives = [Path(each) for each in ([aar] if isinstance(aar, str | PathLike) else aar)]
    jar = packaged_jar() if r8 is None else None
    compiler = optional_path(r8)
    if fetch:
        with progress.stage("Fetching"):
            archives = archives or [fetched(each, downloads) for each in TFLITE]
            if jar is None and compiler is None:
                compiler = fetched(R8, downloads)
    if not archives:
        raise UsageError(
            "There is no native library of a runtime.",
            "Give LiteRT's with --aar litert-1.4.2.aar, or download one with --fetch.",
        )
    if jar is None and compiler is None:
        raise UsageError(
            "This mobileq came without a runner, and there is nothing to make it with.",
            "Give R8's jar with --r8 (com.android.tools:r8:9.5.28), or download it with --fetch.",
        )
    with progress.stage("Making the runner"):
        kit, is_new = build_kit(folder, archives=archives, r8=compiler, jar=jar, apk=apk)
    return MadeRunner(
        path=kit.folder, jar_bytes=kit.jar.stat().st_size, abis=tuple(kit.abis), is_new=is_new
    )
