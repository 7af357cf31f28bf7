"""A bundle's files on a phone, timed by a benchmark program that the person has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from mobileq.bundle import read_bundle
from mobileq.device.adb import find_adb
from mobileq.device.benchmark.base import Asked, Measured
from mobileq.device.benchmark.program import Program
from mobileq.device.facts import read_facts
from mobileq.device.listing import chosen
from mobileq.device.phone import Phone
from mobileq.device.runner.client import Accelerator
from mobileq.errors import UsageError
from mobileq.paths import StrPath
from mobileq.progress import Progress
from mobileq.spec import Artifact
from mobileq.workflows.on_phone import OnPhone, benched


class PhoneProgram(OnPhone):
    """Brings a bundle and a program onto a phone, and runs files there.

    Args:
        binary: TFLite's benchmark_model, MNN's benchmark.out or MNNV2Basic.out.
        libraries: The folder of what it is linked with, if it does not lie beside it.
        delegates: What each file is run on.
        names: Which files, by name or precision; by default all that the program reads.

    Raises:
        UsageError: It is no such program, is of another ABI, or can't run on such a delegate; or
            there is no such file.
        DeviceError: There is no phone, it has no room, or goes away.
    """

    def __init__(
        self,
        bundle: Path,
        binary: StrPath,
        libraries: StrPath | None,
        delegates: Sequence[str],
        names: Sequence[str] = (),
        *,
        serial: str | None,
        adb: StrPath | None,
        progress: Progress,
    ) -> None:
        program = Program(Path(binary))
        self._kind = program.kind
        for each in delegates:
            if each not in self._kind.delegates:
                known = ", ".join(self._kind.delegates)
                raise UsageError(f"{self._kind.title} has no {each!r}.", f"Choose of: {known}.")
        self.delegates = tuple(cast(Accelerator, each) for each in delegates)
        self.title = self._kind.title
        self._choose(read_bundle(bundle), names, "Choose another bundle.")
        self._phone = Phone(chosen(find_adb(adb), serial))
        facts, _ = read_facts(self._phone)
        self.benched = benched(self._phone, facts)
        self.name = self.benched.name
        folder = None if libraries is None else Path(libraries)
        self._program = program.brought(self._phone, facts, folder, progress)
        self._folder = self._push(bundle, adb, progress)

    def runs(self, artifact: Artifact) -> bool:
        """Whether the program reads such files."""
        return artifact.target == self._kind.target

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
