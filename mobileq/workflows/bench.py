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
from mobileq.device_bench import BENCHES, COOL, Bench, BenchRow, keep_bench, now, sealed
from mobileq.errors import InputError, UsageError, VerificationError
from mobileq.paths import StrPath, optional_path
from mobileq.progress import Progress, listener
from mobileq.spec import Artifact
from mobileq.workflows.on_phone import PhoneRunners
from mobileq.workflows.results import require_file_place, require_folder_place, written_whole

if TYPE_CHECKING:
    from mobileq.vision.arrays import ByteArray

RUNS = 50
WARMUP = 5
_COOL_DOWN_S = 120.0
_LOOK_S = 5.0


def bench(
    bundle: StrPath,
    artifact: str | Sequence[str] = (),
    *,
    output: StrPath | None = None,
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

    It is kept in the bundle, as `device/MODEL-DATE.json`: see `Bundle.benches`.

    Args:
        artifact: Which files: `tflite-int8`, or `int8`; by default all that the runner runs.
        output: A file to write it to, and not into the bundle.
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
    if report := optional_path(output):
        require_file_place(report, "--output")
    else:
        require_folder_place(opened.path / BENCHES, "--output")
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
    found = Bench(
        device=phone.benched,
        measured=now(),
        frame=(height, width),
        runs=runs,
        warmup=warmup,
        rows=tuple(rows),
    )
    if report:
        with written_whole(report, "--output") as file:
            file.write_bytes(sealed(found))
    else:
        keep_bench(opened.path, found)
    return found


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
    row = BenchRow(
        artifact=artifact.name, sha256=artifact.sha256, delegate=delegate, threads=threads
    )
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
    if state not in (None, COOL):
        progress.notice(f"{phone.name} is hot ({state}); waiting for it to cool down ...")
    while state not in (None, COOL) and time.monotonic() < until:
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
