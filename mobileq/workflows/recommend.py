"""`mobileq recommend`: which of a bundle's files to ship, within what a person can spend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from mobileq.bundle import Bundle, read_bundle, require_artifacts
from mobileq.device_bench import Bench, BenchRow, fastest_rows, newest_rows, of_phone
from mobileq.errors import UsageError
from mobileq.evaluate.recommend import Limits, Recommendation
from mobileq.evaluate.recommend import recommend as choose
from mobileq.evaluate.report import Validation, read_report
from mobileq.evaluate.ship import Candidate, candidates_of
from mobileq.page import plural
from mobileq.paths import StrPath
from mobileq.tasks.base import measure_of


def recommend(
    bundle: StrPath,
    *,
    max_loss: float | None = None,
    max_ms: float | None = None,
    max_mb: float | None = None,
    device: str | None = None,
) -> Recommendation:
    """Choose among a bundle's files by what was measured of them; nothing is run.

    Args:
        bundle: Its folder. What `validate` measured last counts, else what was verified when the
            bundle was made.
        max_loss: Of mAP50-95 or top-1: with labels against the ONNX model's own, without labels
            what is missing of an agreement of 1.
        max_ms: Milliseconds of one inference, on the machine that measured,
        device: or on this phone, as `bench` measured it last: its model or serial, or a part of
            them. Of each file the delegate counts on which it is fastest.
        max_mb: Size in 10^6 bytes.

    Returns:
        The choice; its `file` is None where no file keeps within the limits.

    Raises:
        UsageError: A limit is negative, or what it limits was not measured; or the phone was not.
        InputError: The bundle can't be read.
    """
    try:
        limits = msgspec.convert({"max_loss": max_loss, "max_ms": max_ms, "max_mb": max_mb}, Limits)
    except msgspec.ValidationError as error:
        raise UsageError("A limit can't be negative.", "Give 0 or more.") from error
    opened = read_bundle(Path(bundle))
    require_artifacts(opened)
    validation, benches = read_report(opened.path).validation, opened.benches
    files, measured = _measured(opened, validation)
    left_out: list[str] = []
    if device is not None:
        there = of_phone(benches, device)
        files, left_out = _timed(files, there, validation)
        phone = there[0].device
        measured = f"{measured}; times of {phone.name}, {there[0].day}"
    found = choose(files, limits, measured)
    phones = dict.fromkeys(each.device.model or each.device.serial for each in benches)
    return msgspec.structs.replace(found, left_out=tuple(left_out), phones=tuple(phones))


def _measured(bundle: Bundle, validation: Validation | None) -> tuple[list[Candidate], str]:
    """The files by what is known of them here, and what that comes from."""
    if validation is None:
        return candidates_of(bundle.manifest), "As verified when the bundle was made"
    names = {each.name: each.file_name for each in bundle.manifest.artifacts}
    files = [
        msgspec.structs.replace(each, name=names.get(each.name, each.name))
        for each in validation.candidates
    ]
    against = f" ({validation.annotations})" if validation.annotations else ", no labels"
    return files, f"{plural(validation.images, 'image')}{against}; {validation.machine}"


def _timed(
    files: Sequence[Candidate], benches: Sequence[Bench], validation: Validation | None
) -> tuple[list[Candidate], list[str]]:
    """The files with a phone's times in place of this computer's, and why others are left out."""
    phone = benches[0].device
    model = phone.model or phone.serial
    rows, notes = _trusted(newest_rows(benches), phone.name, validation)
    fastest = fastest_rows(rows)
    found = []
    for file in files:
        artifact = f"{file.target}-{file.precision}"
        row = fastest.get(artifact)
        if row is not None:
            on = f"{row.spoken} of {model}"
            found.append(msgspec.structs.replace(file, latency_ms=row.latency_ms, on=on))
            continue
        problems = [each.problem for each in rows if each.artifact == artifact]
        notes.append(problems[0] if problems else f"{file.name} is not timed on {model}.")
    if not found:
        raise UsageError(
            f"None of the bundle's files is timed on {phone.name}. {' '.join(notes)}",
            "Measure others: mobileq bench BUNDLE --delegate cpu.",
        )
    return found, notes


def _trusted(
    rows: Sequence[BenchRow], phone: str, validation: Validation | None
) -> tuple[list[BenchRow], list[str]]:
    """Those of delegates that are not known to give other answers; and which are."""
    there = validation.phone if validation else None
    if validation is None or there is None or there.device != phone:
        return list(rows), []
    measure = measure_of(validation.task)
    wrong = {
        (each.scores.name, each.delegate): same
        for each in there.files
        if (same := each.as_here(measure)) is not None and same < each.least_as_here
    }
    notes = [
        f"{artifact} finds something else on the {delegate.upper()} of {phone} (they agree by "
        f"{same:.3f}): its times there do not count."
        for (artifact, delegate), same in wrong.items()
    ]
    return [each for each in rows if (each.artifact, each.delegate) not in wrong], notes


def fastest_delegate(
    bundle: Bundle, benches: Sequence[Bench], advised: Recommendation | None
) -> str | None:
    """On which delegate the file that is advised is fastest; None where but one was tried.

    Args:
        benches: Of one phone, the newest first.
    """
    rows = newest_rows(benches)
    if advised is None or len({row.delegate for row in rows}) < 2:
        return None
    found = fastest_rows(rows)
    for each in bundle.manifest.artifacts:
        if Path(each.path).name == advised.file and each.name in found:
            return found[each.name].delegate
    return None
