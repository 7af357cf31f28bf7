"""A bundle's files on a phone, each behind the door of runners."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import cast, get_args

from mobileq.android.runtimes import RUNTIMES
from mobileq.bundle import Bundle, read_bundle
from mobileq.device.adb import find_adb
from mobileq.device.condition import read_condition
from mobileq.device.facts import DeviceFacts, read_facts
from mobileq.device.listing import chosen
from mobileq.device.phone import Phone
from mobileq.device.runner.client import Accelerator
from mobileq.device.runner.kit import find_kit
from mobileq.device.runner.phone import place_on
from mobileq.device.runner.remote import RemoteRunner
from mobileq.device_bench import BenchedDevice
from mobileq.errors import UsageError
from mobileq.paths import StrPath
from mobileq.phone_condition import Condition
from mobileq.progress import Progress
from mobileq.spec import Artifact
from mobileq.workflows.push import push

DELEGATES: tuple[str, ...] = get_args(Accelerator)
_ABLE = (
    "Convert for TFLite as well (--target tflite), or give MNN's libraries for the phone: "
    "--mnn-libs FOLDER."
)


class OnPhone(ABC):
    """Brings those of a bundle's files onto a phone that something there can run.

    Attributes:
        title: Of what runs them, in sentences.
        files: The files.
    """

    title: str
    files: tuple[Artifact, ...]
    _phone: Phone

    @abstractmethod
    def runs(self, artifact: Artifact) -> bool:
        """Whether it can run such files."""

    def _choose(self, bundle: Bundle, names: Sequence[str], hint: str) -> None:
        """By names or precisions; without any, all that it can run. Raises UsageError."""
        able = [each for each in bundle.manifest.artifacts if self.runs(each)]
        if not able:
            raise UsageError(f"{self.title} runs no file of {bundle.path}.", hint)
        for name in names:
            if not any(name in (each.name, each.precision) for each in able):
                known = ", ".join(each.name for each in able)
                raise UsageError(f"{self.title} runs no file {name!r}.", f"It runs: {known}.")
        self.files = tuple(
            each for each in able if not names or each.name in names or each.precision in names
        )

    def _push(self, bundle: Path, adb: StrPath | None, progress: Progress) -> str:
        """The folder on the phone where they are now."""
        names = [each.name for each in self.files]
        return push(bundle, names, serial=self._phone.serial, adb=adb, progress=progress).folder

    def condition(self) -> Condition:
        """How warm the phone is, and what its clocks may be."""
        return read_condition(self._phone)


class PhoneRunners(OnPhone):
    """Brings a bundle and the runner onto a phone, and opens files there.

    Args:
        delegates: What each file is run on: of `DELEGATES`.
        names: Which files, by name or precision; by default all that the runner runs.
        runner: The folder of `mobileq runner build`, if not that of the user's data.
        mnn_libs: The folder of MNN's .so files for Android, without which its files do not run.

    Raises:
        UsageError: There is no such delegate or file, or no choice among several phones.
        MissingDependencyError: There is no runner, or no adb.
        DeviceError: There is no phone, it has no room, or goes away.
    """

    title = "The runner"

    def __init__(
        self,
        bundle: Path,
        delegates: Sequence[str],
        names: Sequence[str] = (),
        *,
        serial: str | None,
        adb: StrPath | None,
        runner: StrPath | None,
        mnn_libs: StrPath | None,
        progress: Progress,
    ) -> None:
        for each in delegates:
            if each not in DELEGATES:
                raise UsageError(
                    f"There is no delegate {each!r}.", f"Choose of: {', '.join(DELEGATES)}."
                )
        self.delegates = tuple(cast(Accelerator, each) for each in delegates)
        kit, opened = find_kit(runner), read_bundle(bundle)
        self._libraries = {} if mnn_libs is None else {"mnn": Path(mnn_libs)}
        self._choose(opened, names, _ABLE)
        self._phone = Phone(chosen(find_adb(adb), serial))
        folder = self._push(bundle, adb, progress)
        self._place = place_on(self._phone, kit, folder, progress, self._libraries)
        self._preprocess = opened.manifest.model.preprocess
        self.name = self._place.name

    def runs(self, artifact: Artifact) -> bool:
        """Whether it is of a runtime whose native library is there."""
        return runs_there(artifact, self._libraries)

    def open(self, artifact: Artifact, delegate: Accelerator, threads: int) -> RemoteRunner:
        """A file on the phone; close it."""
        runner = RemoteRunner(self._place, artifact, delegate, threads, self._preprocess)
        self._place = runner.place  # what did not start once need not be tried again
        return runner

    @property
    def benched(self) -> BenchedDevice:
        """Which phone it is."""
        return benched(self._phone, read_facts(self._phone)[0])


def runs_there(artifact: Artifact, libraries: Collection[str]) -> bool:
    """Whether it is of a runtime whose native library the runner has, or that is named."""
    runtime = RUNTIMES.get(artifact.target)
    return runtime is not None and (runtime.native is None or artifact.target in libraries)


def benched(phone: Phone, facts: DeviceFacts) -> BenchedDevice:
    """Which phone it is."""
    return BenchedDevice(
        model=facts.model,
        serial=phone.serial,
        android=facts.android,
        api=facts.api,
        soc=facts.soc,
    )
