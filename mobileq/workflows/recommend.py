"""`mobileq recommend`: which of a bundle's files to ship, within what a person can spend."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mobileq.bundle import read_bundle, require_artifacts
from mobileq.errors import UsageError
from mobileq.evaluate.recommend import Limits, Recommendation
from mobileq.evaluate.recommend import recommend as choose
from mobileq.evaluate.report import read_report
from mobileq.evaluate.ship import candidates_of
from mobileq.page import plural
from mobileq.paths import StrPath


def recommend(
    bundle: StrPath,
    *,
    max_loss: float | None = None,
    max_ms: float | None = None,
    max_mb: float | None = None,
) -> Recommendation:
    """Choose among a bundle's files by what was measured of them; nothing is run.

    Args:
        bundle: Its folder. What `validate` measured last counts, else what was verified when the
            bundle was made.
        max_loss: Of mAP50-95 or top-1: with labels against the ONNX model's own, without labels
            what is missing of an agreement of 1.
        max_ms: Milliseconds of one inference, on the machine that measured.
        max_mb: Size in 10^6 bytes.

    Returns:
        The choice; its `file` is None where no file keeps within the limits.

    Raises:
        UsageError: A limit is negative, or what it limits was not measured.
        InputError: The bundle can't be read.
    """
    try:
        limits = msgspec.convert({"max_loss": max_loss, "max_ms": max_ms, "max_mb": max_mb}, Limits)
    except msgspec.ValidationError as error:
        raise UsageError("A limit can't be negative.", "Give 0 or more.") from error
    opened = read_bundle(Path(bundle))
    require_artifacts(opened)
    validation = read_report(opened.path).validation
    if validation is None:
        measured = "As verified when the bundle was made"
        return choose(candidates_of(opened.manifest), limits, measured)
    names = {each.name: Path(each.path).name for each in opened.manifest.artifacts}
    files = [
        msgspec.structs.replace(each, name=names.get(each.name, each.name))
        for each in validation.candidates
    ]
    against = f" ({validation.annotations})" if validation.annotations else ", no labels"
    counted = plural(validation.images, "image") + against
    return choose(files, limits, f"{counted}; {validation.machine}")
