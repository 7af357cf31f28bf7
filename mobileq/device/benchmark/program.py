"""A person's benchmark program: known by what is in it, brought onto a phone, and run there."""

from __future__ import annotations

from pathlib import Path

from mobileq.android.native_libraries import elf_abi
from mobileq.device.adb import OverdueError, as_text
from mobileq.device.benchmark.base import Asked, Benchmark, Measured, NoTimesError
from mobileq.device.benchmark.mnn import MNN_BASIC, MNN_BENCHMARK
from mobileq.device.benchmark.tflite import TFLITE
from mobileq.device.facts import TEMPORARY, DeviceFacts
from mobileq.device.files import LocalFile, RemoteFolder
from mobileq.device.libraries import same_abi
from mobileq.device.phone import Phone, quoted
from mobileq.errors import UsageError, VerificationError, unreadable
from mobileq.logfile import log_path, logger
from mobileq.progress import Progress
from mobileq.regular_file import MAX_MODEL_BYTES, read_regular

FOLDER = f"{TEMPORARY}/mobileq-benchmark"
BENCHMARKS = (TFLITE, MNN_BENCHMARK, MNN_BASIC)
_LIMIT_S = 900.0
_BESIDE = ("libMNN*.so", "libc++_shared.so", "libtensorflowlite*.so")
"""What such programs are linked with, where it lies beside them."""


class Program:
    """One program, of one kind.

    Raises:
        UsageError: The file is none that is known.
    """

    def __init__(self, path: Path) -> None:
        try:
            content = read_regular(path, MAX_MODEL_BYTES, "a program")
        except OSError as error:
            raise unreadable(path, error) from error
        abi = elf_abi(content)
        kind = next((each for each in BENCHMARKS if each.mark in content), None)
        if abi is None or kind is None:
            known = ", ".join(each.title for each in BENCHMARKS)
            reason = "is no program for Android" if abi is None else "is no benchmark that is known"
            raise UsageError(f"--binary {path} {reason}.", f"Known are {known}.")
        self.path, self.abi, self.kind = path, abi, kind

    def brought(
        self, phone: Phone, facts: DeviceFacts, libraries: Path | None, progress: Progress
    ) -> ProgramOnPhone:
        """Bring it onto a phone, with its libraries: those of a folder, else those beside it.

        Raises:
            UsageError: The phone does not run it, or a library is of another ABI.
            DeviceError: The phone has no room, or went away.
        """
        if self.abi not in facts.abis:
            taken = ", ".join(facts.abis) or "nothing that it tells"
            raise UsageError(
                f"{self.path.name} is built for {self.abi}, and {facts.model or phone.serial} "
                f"takes {taken}.",
                f"Get the one for {next(iter(facts.abis), 'its processor')}.",
            )
        found = same_abi(libraries or self.path.parent, self.abi, _BESIDE, named=bool(libraries))
        files = [
            LocalFile.of(self.path, "program"),
            *(LocalFile.of(each, each.name) for each in found),
        ]
        folder = RemoteFolder(phone, FOLDER, progress)
        wanted = {each.name for each in files}
        folder.remove(each for each in folder.names() if each not in wanted)
        folder.bring(files, f"Sending {self.path.name} to {phone.serial}")
        return ProgramOnPhone(phone, self.kind)


class ProgramOnPhone:
    """A program that lies on a phone."""

    def __init__(self, phone: Phone, kind: Benchmark) -> None:
        self._phone, self.kind = phone, kind

    def run(self, asked: Asked) -> Measured:
        """Run it.

        Raises:
            VerificationError: It gave no times.
            DeviceError: The phone went away.
        """
        # The log has what MNN prints, and is asked for one process, which `exec` keeps the same.
        script = (
            f"cd {quoted(FOLDER)} && chmod 755 program || exit\nexport LD_LIBRARY_PATH={FOLDER}\n"
            f"( {self.kind.script(asked)} ) 2>&1 & process=$!\n"
            "wait $process; code=$?; unset LD_LIBRARY_PATH\n"
            "echo; logcat -d -v raw --pid=$process 2>/dev/null; exit $code"
        )
        try:
            answer = self._phone.shell(script, limit_s=_LIMIT_S)
            said = answer.text
        except OverdueError as error:
            raise _failed(f"it did not end within {_LIMIT_S:g} s", as_text(error.out)) from error
        try:
            return self.kind.read(said, asked.delegate)
        except NoTimesError as error:
            raise _failed(str(error), said) from error


def _failed(reason: str, said: str) -> VerificationError:
    logger().error("%s:\n%s", reason, said[-100_000:])
    return VerificationError(reason, f"All that it printed is in {log_path()}.")
