"""How fast files of a bundle were on phones: kept in the bundle, as `device/MODEL-DATE.json`.

The manifest does not list these files: they say what was measured since, change nothing of what was
converted, and go neither onto a phone nor into an app. Each holds its own hash, and the hashes of
the files that it is about: figures of other bytes are not shown.
"""

from __future__ import annotations

import datetime
import itertools
import json
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mobileq.errors import InputError, UsageError, unreadable
from mobileq.manifest import BundleManifest, content_hash, from_json, to_json
from mobileq.page import Page, Told, megabytes, number, plural
from mobileq.phone_condition import Condition, slowed
from mobileq.regular_file import read_regular
from mobileq.spec import Sha256, Spec
from mobileq.staging import remove, staging_path

BENCHES = "device/"
"""Where they are in a bundle."""
_COLUMNS = ("median ms", "mean", "p95", "first", "load", "before", "behind", "memory")
_MAX_BYTES = 16 * 1024 * 1024
_LONGEST_NAME = 60
_AGAIN = "Remove it, and measure again with `mobileq bench`."
_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$"
_Milliseconds = Annotated[float, Meta(ge=0)] | None


class BenchRow(Spec, frozen=True, kw_only=True):
    """One file on one delegate; milliseconds.

    Attributes:
        sha256: Of the file that was measured.
        threads: On the CPU; 0: one for each processor.
        load_ms: Until it was ready, with what a delegate prepares.
        first_ms: The first inference.
        median_ms, p95_ms, mean_ms: Of an inference; benchmark programs need not tell all of them.
        preprocess_ms, postprocess_ms: Medians, from the frame to the tensor, and from the outputs
            to the answer, as the app does it.
        peak_bytes: Of the runner's process; of a program's, by how much it grew.
        before, after: How the phone was: heat and clocks.
        delegations: What delegates took of the model.
        problem: Why there are no figures.
    """

    artifact: str
    sha256: Sha256
    delegate: str
    threads: Annotated[int, Meta(ge=0)]
    load_ms: _Milliseconds = None
    first_ms: _Milliseconds = None
    median_ms: _Milliseconds = None
    p95_ms: _Milliseconds = None
    mean_ms: _Milliseconds = None
    preprocess_ms: _Milliseconds = None
    postprocess_ms: _Milliseconds = None
    peak_bytes: Annotated[int, Meta(ge=0)] | None = None
    before: Condition | None = None
    after: Condition | None = None
    delegations: tuple[str, ...] = ()
    problem: str = ""

    @property
    def throttled(self) -> str:
        """What shows that the phone was slowed down meanwhile; "" where nothing does."""
        return slowed(self.before, self.after) if self.before and self.after else ""

    @property
    def latency_ms(self) -> float | None:
        """Of an inference: the median, else the mean; None where it did not run."""
        return self.mean_ms if self.median_ms is None else self.median_ms

    @property
    def where(self) -> str:
        """The delegate, and the CPU's threads."""
        return f"cpu, {self.threads or 'all'}" if self.delegate == "cpu" else self.delegate

    @property
    def spoken(self) -> str:
        """The same in a sentence."""
        if self.delegate != "cpu":
            return f"the {self.delegate.upper()}"
        return f"the CPU ({plural(self.threads, 'thread') if self.threads else 'all threads'})"


class BenchedDevice(Spec, frozen=True, kw_only=True):
    """Which phone it was, as it says itself; empty or None is what it does not say."""

    model: str
    serial: str
    android: str = ""
    api: int | None = None
    soc: str = ""

    @property
    def name(self) -> str:
        """Model and serial."""
        return f"{self.model or 'phone'} ({self.serial})"


class Bench(Told, Spec, frozen=True, kw_only=True):
    """Files of a bundle on a phone.

    Attributes:
        measured: When: ISO 8601, UTC.
        tool: What timed them, in sentences.
        frame: Height and width of the picture that was analysed; None where a program made its
            input up.
        runs, warmup: How often; `runs` count.
        cut: Whether it ended before all that was asked for was timed.
        content_sha256: Of all else, filled in when it is kept.
    """

    device: BenchedDevice
    measured: Annotated[str, Meta(pattern=_TIME)]
    tool: str = "The runner"
    frame: tuple[int, int] | None = None
    runs: int
    warmup: int
    rows: tuple[BenchRow, ...]
    cut: bool = False
    schema_version: Literal[1] = 1
    content_sha256: str = ""

    def tell(self, page: Page) -> None:
        """A table, and what each delegate took."""
        of = f"of a frame of {self.frame[1]} x {self.frame[0]}" if self.frame else f"by {self.tool}"
        page.table(
            ("file", "on", *_COLUMNS),
            [_cells(row) for row in self.rows],
            f"{self.device.name}, {self.day}: {plural(self.runs, 'run')} {of}",
        )
        for row in self.rows:
            for line in (*row.delegations, row.problem):
                if line:
                    what = f"{row.artifact} on {row.where}: {line.rstrip('.')}."
                    page.line(what, "bad" if line == row.problem else "quiet")
            if row.throttled:
                page.line(
                    f"{row.artifact} on {row.where} ran while the phone was slowed down "
                    f"({row.throttled}): slower than it is.",
                    "bad",
                )
        if self.cut:
            page.line("It was cut off: what is not in the table was not timed.", "bad")
        self._tell_condition(page)

    def _tell_condition(self, page: Page) -> None:
        """How the phone was at first, and what it keeps to itself."""
        first = next((row.before for row in self.rows if row.before), None)
        if first is not None:
            page.line(f"{self.device.name} at first: {first}.", "quiet")
            if first.unknown:
                page.line(f"{self.device.name} {first.unknown}: a slower run may go unnoticed.")

    @property
    def day(self) -> str:
        """When, as people write it: 2026-11-29 02:45 UTC."""
        return f"{self.measured[:16].replace('T', ' ')} UTC"


def _cells(row: BenchRow) -> tuple[str, ...]:
    if row.problem:
        return (row.artifact, row.where, "FAILED", *["-"] * (len(_COLUMNS) - 1))
    times = (row.median_ms, row.mean_ms, row.p95_ms, row.first_ms, row.load_ms)
    parts = (row.preprocess_ms, row.postprocess_ms)
    memory = "-" if row.peak_bytes is None else megabytes(row.peak_bytes)
    return (row.artifact, row.where, *(number(each, ".1f") for each in (*times, *parts)), memory)


def now() -> str:
    """For `Bench.measured`."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def sealed(bench: Bench) -> bytes:
    """What the file of a bench holds."""
    plain = msgspec.structs.replace(bench, content_sha256="")
    digest = content_hash(msgspec.to_builtins(plain))
    return to_json(msgspec.structs.replace(plain, content_sha256=digest))


def keep_bench(bundle: Path, bench: Bench, kept: Path | None = None) -> Path:
    """Write a bench into its bundle, beside those that are there; its path.

    Args:
        kept: Where it was written with fewer rows, whose place it takes.

    Raises:
        InputError: It cannot be written.
    """
    model = re.sub(r"[^A-Za-z0-9]+", "-", bench.device.model).strip("-")[:_LONGEST_NAME]
    date = re.sub(r"\+.*|[^0-9T]", "", bench.measured)
    folder = bundle / BENCHES
    try:
        folder.mkdir(exist_ok=True)
        path = kept or _new_file(folder, f"{model or 'phone'}-{date}")
        staging = staging_path(path)
        try:
            staging.write_bytes(sealed(bench))
            staging.replace(path)
        except BaseException:
            remove(staging)
            if kept is None:
                remove(path)
            raise
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written: {error.strerror}.",
            "Measure with --output FILE, or copy the bundle to where you may write.",
        ) from error
    return path


def _new_file(folder: Path, stem: str) -> Path:
    """A file of that name which is nobody else's, though two phones be measured at once."""
    for count in itertools.count(1):
        path = folder / (f"{stem}.json" if count == 1 else f"{stem}-{count}.json")
        with suppress(FileExistsError):
            path.open("xb").close()
            return path
    raise AssertionError


def device_benches(bundle: Path, manifest: BundleManifest) -> list[Bench]:
    """What was measured of a bundle's files on phones, the newest first.

    Rows about files that are no longer in the bundle, or had other bytes, are left out, and benches
    that have no other.

    Raises:
        InputError: One cannot be read, or is not as it was written.
    """
    found = [_about(_read(path), manifest) for path in _paths(bundle)]
    kept = [each for each in found if each.rows]
    return sorted(kept, key=lambda each: each.measured, reverse=True)


def carry_benches(old: Path, new: Path, manifest: BundleManifest) -> None:
    """Copy benches into a bundle that takes another's place: those about files that stay as they
    are. What is damaged stays behind. Raises OSError."""
    for path in _paths(old):
        with suppress(InputError):
            if _about(_read(path), manifest).rows:
                (new / BENCHES).mkdir(exist_ok=True)
                shutil.copy(path, new / BENCHES)


def is_bench(bundle: Path, name: str) -> bool:
    """Whether a file of a bundle, not a link, is a bench as it was written."""
    path = bundle / name
    if path.parent != bundle / BENCHES or path.is_symlink():
        return False
    try:
        _read(path)
    except InputError:
        return False
    return True


def _about(bench: Bench, manifest: BundleManifest) -> Bench:
    known = {(each.name, each.sha256) for each in manifest.artifacts}
    rows = tuple(row for row in bench.rows if (row.artifact, row.sha256) in known)
    return msgspec.structs.replace(bench, rows=rows)


def _paths(bundle: Path) -> list[Path]:
    return sorted((bundle / BENCHES).glob("*.json"))


def _read(path: Path) -> Bench:
    try:
        data = read_regular(path, _MAX_BYTES, "a bench")
    except OSError as error:
        raise unreadable(path, error) from error
    bench = from_json(data, Bench, str(path), _AGAIN)
    if bench.content_sha256 != content_hash(json.loads(data)):
        raise InputError(f"{path} is not as it was written.", _AGAIN)
    return bench


def of_phone(benches: Sequence[Bench], name: str) -> list[Bench]:
    """Those of one phone.

    Args:
        name: Its model or serial, or a part of one.

    Raises:
        UsageError: There is none, or there are several.
    """
    wanted = name.casefold()
    found = [each for each in benches if wanted == each.device.model.casefold()]
    found = found or [each for each in benches if wanted in each.device.name.casefold()]
    models = dict.fromkeys(each.device.model or each.device.serial for each in found)
    if len(models) == 1:
        return found
    if models:
        raise UsageError(f"{name!r} is several phones: {', '.join(models)}.", "Name one of them.")
    known = ", ".join(dict.fromkeys(each.device.name for each in benches))
    raise UsageError(
        f"No phone {name!r} has been measured with this bundle's files.",
        f"Choose of: {known}." if known else "Measure one: mobileq bench BUNDLE.",
    )


def newest_rows(benches: Sequence[Bench]) -> list[BenchRow]:
    """Of each file in each place (delegate, threads) what was measured last, on one phone.

    Args:
        benches: The newest first.
    """
    rows: dict[tuple[str, str, int], BenchRow] = {}
    for row in (row for bench in benches for row in bench.rows):
        rows.setdefault((row.artifact, row.delegate, row.threads), row)
    return list(rows.values())


def fastest_rows(rows: Sequence[BenchRow]) -> dict[str, BenchRow]:
    """Of each file the row with the shortest inferences; one of a phone that was slowed down only
    where there is no other. Files that ran nowhere have none."""
    ran = [row for row in rows if row.latency_ms is not None]
    found: dict[str, BenchRow] = {}
    for row in sorted(ran, key=lambda each: (bool(each.throttled), each.latency_ms)):
        found.setdefault(row.artifact, row)
    return found
