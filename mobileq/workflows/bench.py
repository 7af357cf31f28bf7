"""`mobileq bench`: how fast a bundle's files are on a phone, on each of its delegates."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mobileq.bundle import Bundle, read_bundle, require_artifacts
from mobileq.device.benchmark.base import Measured
from mobileq.device.runner.client import Accelerator
from mobileq.device_bench import BENCHES, Bench, BenchRow, keep_bench, now, sealed
from mobileq.errors import InputError, UsageError, VerificationError
from mobileq.page import plural
from mobileq.paths import StrPath, optional_path
from mobileq.phone_condition import Condition
from mobileq.progress import Progress, listener
from mobileq.spec import Artifact
from mobileq.workflows.cooling import COOL_DOWN_S, Cooling
from mobileq.workflows.on_phone import PhoneRunners
from mobileq.workflows.phone_program import PhoneProgram
from mobileq.workflows.results import require_file_place, require_folder_place, written_whole

if TYPE_CHECKING:
    from mobileq.vision.arrays import ByteArray

RUNS = 50
WARMUP = 5
_Time = Callable[[Artifact, Accelerator, int], tuple[Measured, Condition]]


def bench(
    bundle: StrPath,
    artifact: str | Sequence[str] = (),
    *,
    output: StrPath | None = None,
    delegates: Sequence[str] = ("cpu",),
    threads: Sequence[int] = (0,),
    runs: int = RUNS,
    warmup: int = WARMUP,
    cool_down: float = COOL_DOWN_S,
    binary: StrPath | None = None,
    mnn_libs: StrPath | None = None,
    serial: str | None = None,
    adb: StrPath | None = None,
    runner: StrPath | None = None,
    progress: Progress | None = None,
) -> Bench:
    """Time a bundle's files on a phone: the bundle's golden frame, from pixels to answer.

    It is kept in the bundle, as `device/MODEL-DATE.json`: see `Bundle.benches`. Each row is written
    when it is there, so that nothing is lost of what was timed before a phone went away.

    Args:
        artifact: Which files: `tflite-int8`, or `int8`; by default all that the runner runs. No
            others are brought onto the phone.
        output: A file to write it to, and not into the bundle.
        delegates: "cpu", "gpu", "nnapi", one after the other.
        threads: On the CPU, one after the other; 0: one for each processor.
        runs, warmup: Analyses that count, and before them.
        cool_down: Seconds that a phone which became warm may take to cool down, before each file.
        binary: A benchmark program in place of the runner: see `PhoneProgram`.
        serial, adb, runner, mnn_libs: Which phone, and by what: see `PhoneRunners`.

    Raises:
        UsageError: There is no such artifact or delegate, or a number is too small.
        InputError: The bundle has no frame.
        DeviceError, MissingDependencyError: As `PhoneRunners`.
    """
    progress = listener(progress)
    if runs < 1 or min(warmup, cool_down, *threads) < 0 or not threads:
        raise UsageError(
            "--runs must be 1 or more; --warmup, --threads and --cool-down 0 or more.",
            "Choose other numbers.",
        )
    opened = read_bundle(Path(bundle))
    require_artifacts(opened)
    keep = _Keeping(opened.path, optional_path(output))
    frame, often = None, (runs, warmup)
    names = [artifact] if isinstance(artifact, str) else artifact
    phone: PhoneRunners | PhoneProgram
    time: _Time
    if binary is None:
        frame = _frame(opened)
        phone = runners = PhoneRunners(
            *(opened.path, delegates, names),
            serial=serial,
            adb=adb,
            runner=runner,
            mnn_libs=mnn_libs,
            progress=progress,
        )
        time = functools.partial(_analysed, runners, frame, often)
    else:
        phone = program = PhoneProgram(
            *(opened.path, binary, mnn_libs, delegates, names),
            serial=serial,
            adb=adb,
            progress=progress,
        )
        time = functools.partial(_run, program, often)
    found = Bench(
        device=phone.benched,
        measured=now(),
        tool=phone.title,
        frame=None if frame is None else (frame.shape[0], frame.shape[1]),
        runs=runs,
        warmup=warmup,
        rows=(),
        cut=True,
    )
    wanted = list(cases(phone.files, phone.delegates, threads))
    cooling = Cooling(phone, cool_down, progress)
    try:
        with progress.stage("Timing", len(wanted)) as advance:
            for case in wanted:
                row = _timed(case, cooling.wait(), time)
                rows = (*found.rows, row)
                found = msgspec.structs.replace(found, rows=rows, cut=len(rows) < len(wanted))
                keep.write(found)
                advance()
    except BaseException:
        if found.rows:
            count = plural(len(found.rows), "timing")
            progress.notice(f"{count} of {len(wanted)} are kept in {keep.path}.")
        raise
    return found


class _Keeping:
    """Writes a bench anew with each of its rows: into the bundle, or to a file.

    Raises:
        UsageError, InputError: It can't be written there.
    """

    def __init__(self, bundle: Path, report: Path | None) -> None:
        if report:
            require_file_place(report, "--output")
        else:
            require_folder_place(bundle / BENCHES, "--output")
        self._bundle, self._report = bundle, report
        self.path = report
        """Where it is."""

    def write(self, found: Bench) -> None:
        if self._report is None:
            self.path = keep_bench(self._bundle, found, self.path)
            return
        with written_whole(self._report, "--output") as file:
            file.write_bytes(sealed(found))


def cases[D: str](
    files: Sequence[Artifact], delegates: Sequence[D], threads: Sequence[int]
) -> Iterator[tuple[Artifact, D, int]]:
    """What is timed of them, one after the other; threads are of the CPU alone."""
    for file in files:
        for delegate in delegates:
            for count in threads if delegate == "cpu" else (0,):
                yield file, delegate, count


def _timed(case: tuple[Artifact, Accelerator, int], before: Condition, time: _Time) -> BenchRow:
    artifact, delegate, threads = case
    row = BenchRow(
        artifact=artifact.name,
        sha256=artifact.sha256,
        delegate=delegate,
        threads=threads,
        before=before,
    )
    try:
        found, after = time(artifact, delegate, threads)
    except VerificationError as error:
        return msgspec.structs.replace(row, problem=error.message)
    values = {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in vars(found).items()
    }
    return msgspec.structs.replace(row, after=after, **values)


def _run(
    program: PhoneProgram,
    often: tuple[int, int],
    artifact: Artifact,
    delegate: Accelerator,
    threads: int,
) -> tuple[Measured, Condition]:
    found = program.time(artifact, delegate, threads, *often)
    return found, program.condition()


def _analysed(
    phone: PhoneRunners,
    frame: ByteArray,
    often: tuple[int, int],
    artifact: Artifact,
    delegate: Accelerator,
    threads: int,
) -> tuple[Measured, Condition]:
    import numpy as np

    with closing(phone.open(artifact, delegate, threads)) as runner:
        found = runner.bench(frame, runs=often[0], warmup=often[1])
        after = phone.condition()
        measured = Measured(
            load_ms=runner.loaded.load_ns / 1e6,
            first_ms=float(found.first[1]) / 1e6,
            median_ms=float(np.median(found.inference)) / 1e6,
            mean_ms=float(np.mean(found.inference)) / 1e6,
            p95_ms=float(np.percentile(found.inference, 95)) / 1e6,
            preprocess_ms=float(np.median(found.preprocess)) / 1e6,
            postprocess_ms=float(np.median(found.postprocess)) / 1e6,
            peak_bytes=found.memory.peak_bytes,
            delegations=tuple(map(str, runner.delegations)),
        )
    return measured, after


def _frame(bundle: Bundle) -> ByteArray:
    """The bundle's golden frame: uint8 [H, W, 4]."""
    import numpy as np

    folder = bundle.path / "golden"
    try:
        said = json.loads((folder / "golden.json").read_bytes())
        pixels = gzip.decompress((folder / said["frame"]).read_bytes())
        return np.frombuffer(pixels, np.uint8).reshape(said["height"], said["width"], 4)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{bundle.path} has no golden frame that can be read.",
            "Convert the model with pictures (--calib).",
        ) from error
