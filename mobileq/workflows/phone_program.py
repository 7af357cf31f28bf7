"""A bundle's files on a phone, timed by a benchmark program that the person has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from mobileq.bundle import read_bundle
from mobileq.device.adb import find_adb
from mobileq.device.benchmark.base import Asked, Measured
from mobileq.device.benchmark.program import Program
from mobileq.device.condition import read_condition
from mobileq.device.facts import read_facts
from mobileq.device.listing import chosen
from mobileq.device.phone import Phone
from mobileq.device.runner.client import Accelerator
from mobileq.errors import UsageError
from mobileq.paths import StrPath
from mobileq.phone_condition import Condition
from mobileq.progress import Progress
from mobileq.spec import Artifact
from mobileq.workflows.on_phone import benched
from mobileq.workflows.push import push, remote_path


class PhoneProgram:
    """Brings a bundle and a program onto a phone, and runs files there.

    Args:
        binary: TFLite's benchmark_model, MNN's benchmark.out or MNNV2Basic.out.
        libraries: The folder of what it is linked with, if it does not lie beside it.
        delegates: What each file is run on.

    Raises:
        UsageError: It is no such program, is of another ABI, or can't run on such a delegate.
        DeviceError: There is no phone, it has no room, or goes away.
    """

    def __init__(
        self,
        bundle: Path,
        binary: StrPath,
        libraries: StrPath | None,
        delegates: Sequence[str],
        *,
        serial: str | None,
        adb: StrPath | None,
        progress: Progress,
    ) -> None:
        program = Program(Path(binary))
        for each in delegates:
            if each not in program.kind.delegates:
                known = ", ".join(program.kind.delegates)
                raise UsageError(f"{program.kind.title} has no {each!r}.", f"Choose of: {known}.")
        self.delegates = tuple(cast(Accelerator, each) for each in delegates)
        self.title = program.kind.title
        self._phone = Phone(chosen(find_adb(adb), serial))
        facts, _ = read_facts(self._phone)
        self.benched = benched(self._phone, facts)
        self.name = self.benched.name
        folder = None if libraries is None else Path(libraries)
        self._program = program.brought(self._phone, facts, folder, progress)
        artifacts = read_bundle(bundle).manifest.artifacts
        names = [each.name for each in artifacts if self.runs(each)]
        if not names:
            raise UsageError(f"{self.title} runs no file of {bundle}.", "Choose another bundle.")
        push(bundle, names, serial=self._phone.serial, adb=adb, progress=progress)
        self._folder = remote_path(bundle)

    def runs(self, artifact: Artifact) -> bool:
        """Whether the program reads such files."""
        return artifact.target == self._program.kind.target

    def condition(self) -> Condition:
        """How warm the phone is, and what its clocks may be."""
        return read_condition(self._phone)

    def time(
        self, artifact: Artifact, delegate: Accelerator, threads: int, runs: int, warmup: int
    ) -> Measured:
        """Run a file.

        Raises:
            VerificationError: The program gave no times.
            DeviceError: The phone went away.
        """
        return self._program.run(
            Asked(
                model=f"{self._folder}/{artifact.path}",
                delegate=delegate,
                threads=threads,
                runs=runs,
                warmup=warmup,
            )
        )
