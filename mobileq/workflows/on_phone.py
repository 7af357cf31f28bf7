"""A bundle's files on a phone, each behind the door of runners."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import cast, get_args

from mobileq.android.runtimes import RUNTIMES
from mobileq.bundle import read_bundle
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


class PhoneRunners:
    """Brings a bundle and the runner onto a phone, and opens files there.

    Args:
        delegates: What each file is run on: of `DELEGATES`.
        runner: The folder of `mobileq runner build`, if not that of the user's data.
        mnn_libs: The folder of MNN's .so files for Android, without which its files do not run.

    Raises:
        UsageError: There is no such delegate, or no choice among several phones.
        MissingDependencyError: There is no runner, or no adb.
        DeviceError: There is no phone, it has no room, or goes away.
    """

    title = "The runner"
    """In sentences."""

    def __init__(
        self,
        bundle: Path,
        delegates: Sequence[str],
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
        names = [each.name for each in opened.manifest.artifacts if self.runs(each)]
        if not names:
            raise UsageError(f"{self.title} runs no file of {bundle}.", _ABLE)
        pushed = push(bundle, names, serial=serial, adb=adb, progress=progress)
        self._phone = Phone(chosen(find_adb(adb), pushed.serial))
        self._place = place_on(self._phone, kit, pushed.folder, progress, self._libraries)
        self._preprocess = opened.manifest.model.preprocess
        self.name = self._place.name

    def runs(self, artifact: Artifact) -> bool:
        """Whether it is of a runtime whose native library is there."""
        return runs_there(artifact, self._libraries)

    def open(self, artifact: Artifact, delegate: Accelerator, threads: int) -> RemoteRunner:
        """A file on the phone; close it."""
        return RemoteRunner(self._place, artifact, delegate, threads, self._preprocess)

    @property
    def benched(self) -> BenchedDevice:
        """Which phone it is."""
        return benched(self._phone, read_facts(self._phone)[0])

    def condition(self) -> Condition:
        """How warm it is, and what its clocks may be."""
        return read_condition(self._phone)


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
