"""`mobileq bench`: how fast a bundle's files are on a phone, on each of its delegates."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mobileq.bundle import Bundle, read_bundle, require_artifacts
from mobileq.device.runner.client import Accelerator, Benched
from mobileq.errors import InputError, UsageError, VerificationError
from mobileq.page import Page, Told, megabytes, plural
from mobileq.paths import StrPath
from mobileq.progress import Progress, listener
from mobileq.spec import Artifact, Spec
from mobileq.workflows.on_phone import PhoneRunners

if TYPE_CHECKING:
    from mobileq.vision.arrays import ByteArray

RUNS = 50
WARMUP = 5
_COOL = "none"
_COOL_DOWN_S = 120.0
_LOOK_S = 5.0


class BenchRow(Spec, frozen=True, kw_only=True):
    """One file on one delegate; milliseconds.

    Attributes:
        threads: On the CPU; 0: one for each processor.
        load_ms: Until it was ready, with what a delegate prepares.
        first_ms: The first inference.
        median_ms, p95_ms: Of an inference.
        preprocess_ms, postprocess_ms: Medians, from the frame to the tensor, and from the outputs
            to the answer, as the app does it.
        peak_bytes: Of the runner's process.
        thermal: Android's state before and behind; None where it does not tell.
        delegations: What delegates took of the model.
        problem: Why there are no figures.
    """

    artifact: str
    delegate: str
    threads: int
    load_ms: float | None = None
    first_ms: float | None = None
    median_ms: float | None = None
    p95_ms: float | None = None
    preprocess_ms: float | None = None
    postprocess_ms: float | None = None
    peak_bytes: int | None = None
    thermal: tuple[str | None, str | None] = (None, None)
    delegations: tuple[str, ...] = ()
    problem: str = ""

    @property
    def is_throttled(self) -> bool:
        """Whether the phone was slowed down by heat."""
        return any(each not in (None, _COOL) for each in self.thermal)

    @property
    def where(self) -> str:
        """The delegate, and the CPU's threads."""
        return f"cpu, {self.threads or 'all'}" if self.delegate == "cpu" else self.delegate


class Bench(Told, Spec, frozen=True, kw_only=True):
    """Files of a bundle on a phone. `runs` are those that count."""

    device: str
    frame: tuple[int, int]
    """Height and width of the picture that was analysed."""
    runs: int
    warmup: int
    rows: tuple[BenchRow, ...]

    def tell(self, page: Page) -> None:
        """A table, and what each delegate took."""
        height, width = self.frame
        page.table(
            ("file", "on", "median ms", "p95", "first", "load", "before", "behind", "memory"),
            [_cells(row) for row in self.rows],
            f"{self.device}: {plural(self.runs, 'run')} of a frame of {width} x {height}",
        )
        for row in self.rows:
            for line in (*row.delegations, row.problem):
                if line:
                    what = f"{row.artifact} on {row.where}: {line.rstrip('.')}."
                    page.line(what, "bad" if line == row.problem else "quiet")
            if row.is_throttled:
                states = " and ".join(each or "unknown" for each in row.thermal)
                page.line(
                    f"{row.artifact} on {row.where} ran on a hot phone ({states}): slower than "
                    "it is.",
                    "bad",
                )


def _cells(row: BenchRow) -> tuple[str, ...]:
    if row.problem:
        return (row.artifact, row.where, "FAILED", *["-"] * 6)
    times = (row.median_ms, row.p95_ms, row.first_ms, row.load_ms)
    parts = (row.preprocess_ms, row.postprocess_ms)
    cells = [f"{value or 0:.1f}" for value in (*times, *parts)]
    return (row.artifact, row.where, *cells, megabytes(row.peak_bytes or 0))


def bench(
    bundle: StrPath,
    artifact: str | Sequence[str] = (),
    *,
    delegates: Sequence[str] = ("cpu",),
    threads: Sequence[int] = (0,),
    runs: int = RUNS,
    warmup: int = WARMUP,
    serial: str | None = None,
    adb: StrPath | None = None,
    runner: StrPath | None = None,
    progress: Progress | None = None,
) -> Bench:
    """Time a bundle's files on a phone: the bundle's golden frame, from pixels to answer.

    Args:
        artifact: Which files: `tflite-int8`, or `int8`; by default all that the runner runs.
        delegates: "cpu", "gpu", "nnapi", one after the other.
        threads: On the CPU, one after the other; 0: one for each processor.
        runs, warmup: Analyses that count, and before them.
        serial, adb, runner: Which phone, and by what: see `PhoneRunners`.

    Raises:
        UsageError: There is no such artifact or delegate, or a number is too small.
        InputError: The bundle has no frame.
        DeviceError, MissingDependencyError: As `PhoneRunners`.
    """
    progress = listener(progress)
    if runs < 1 or warmup < 0 or min(threads, default=-1) < 0:
        raise UsageError(
            "--runs must be 1 or more, --warmup and --threads 0 or more.", "Choose other numbers."
        )
    opened = read_bundle(Path(bundle))
    require_artifacts(opened)
    frame = _frame(opened)
    phone = PhoneRunners(
        *(opened.path, delegates), serial=serial, adb=adb, runner=runner, progress=progress
    )
    files = _files(opened, phone, [artifact] if isinstance(artifact, str) else artifact)
    rows = []
    with progress.stage("Timing") as advance:
        for each, delegate, count in _cases(files, phone.delegates, threads):
            rows.append(_row(phone, each, delegate, count, frame, (runs, warmup), progress))
            advance()
    height, width = frame.shape[:2]
    return Bench(
        device=phone.name, frame=(height, width), runs=runs, warmup=warmup, rows=tuple(rows)
    )


def _files(bundle: Bundle, phone: PhoneRunners, names: Sequence[str]) -> list[Artifact]:
    able = [each for each in bundle.manifest.artifacts if phone.runs(each)]
    for name in names:
        if not any(name in (each.name, each.precision) for each in able):
            known = ", ".join(each.name for each in able) or "none of this bundle's"
            raise UsageError(f"The runner runs no file {name!r}.", f"It runs: {known}.")
    return [each for each in able if not names or each.name in names or each.precision in names]


def _cases(
    files: Sequence[Artifact], delegates: Sequence[Accelerator], threads: Sequence[int]
) -> Iterator[tuple[Artifact, Accelerator, int]]:
    for file in files:
        for delegate in delegates:
            for count in threads if delegate == "cpu" else (0,):
                yield file, delegate, count


def _row(
    phone: PhoneRunners,
    artifact: Artifact,
    delegate: Accelerator,
    threads: int,
    frame: ByteArray,
    often: tuple[int, int],
    progress: Progress,
) -> BenchRow:
    before = _cooled(phone, progress)
    row = BenchRow(artifact=artifact.name, delegate=delegate, threads=threads)
    try:
        with closing(phone.open(artifact, delegate, threads)) as runner:
            found = runner.bench(frame, runs=often[0], warmup=often[1])
            took = tuple(map(str, runner.delegations))
            row = _filled(row, found, runner.loaded.load_ns)
            thermal = (before, phone.thermal())
            return msgspec.structs.replace(row, thermal=thermal, delegations=took)
    except VerificationError as error:
        return msgspec.structs.replace(row, problem=error.message)


def _filled(row: BenchRow, found: Benched, load_ns: int) -> BenchRow:
    import numpy as np

    def milliseconds(nanos: float) -> float:
        return round(float(nanos) / 1e6, 3)

    return msgspec.structs.replace(
        row,
        load_ms=milliseconds(load_ns),
        first_ms=milliseconds(found.first[1]),
        median_ms=milliseconds(np.median(found.inference)),
        p95_ms=milliseconds(np.percentile(found.inference, 95)),
        preprocess_ms=milliseconds(np.median(found.preprocess)),
        postprocess_ms=milliseconds(np.median(found.postprocess)),
        peak_bytes=found.memory.peak_bytes,
    )


def _cooled(phone: PhoneRunners, progress: Progress) -> str | None:
    """Wait for a phone that is hot; its state then."""
    state, until = phone.thermal(), time.monotonic() + _COOL_DOWN_S
    if state not in (None, _COOL):
        progress.notice(f"{phone.name} is hot ({state}); waiting for it to cool down ...")
    while state not in (None, _COOL) and time.monotonic() < until:
        time.sleep(_LOOK_S)
        state = phone.thermal()
    return state


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
