"""Errors of parts are worked out where sessions are: of some hundred runs all outputs went through
a pipe, for one number each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.onnx_runtime import Guest
from mobileq.progress import Progress, tracked
from mobileq.quantize.simulate import NO_SHIFTS, Shifts
from mobileq.spec import ModelSpec, TensorRanges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Feeds = Mapping[str, NDArray[Any]]


def part_errors(
    onnx: Path,
    ranges: TensorRanges,
    samples: Sequence[Feeds],
    spec: ModelSpec,
    progress: Progress,
    shifts: Shifts = NO_SHIFTS,
    known: Collection[str] = (),
) -> dict[str, float]:
    """{tensor, or inside of a group: error at the outputs where nothing else is rounded}

    Of all groups of an ONNX file, but for what is known; see `sensitivity.each_part`.
    Raises as `Session`.
    """
    with closing(Guest("mobileq.quantize.part_handler:PartHandler", onnx)) as there:
        for feeds in samples:
            there.request("sample", {}, feeds)
        fields = {
            "model": str(onnx.absolute()),
            "ranges": msgspec.to_builtins(ranges),
            "spec": msgspec.to_builtins(spec),
            "known": list(known),
        }
        there.request("begin", fields, shifts)
        return dict(tracked(_steps(there), progress, "Sensitivity", None))


def _steps(there: Guest) -> Iterator[tuple[str, float]]:
    while (found := there.request("step")[0])["part"] is not None:
        yield found["part"], found["off"]
