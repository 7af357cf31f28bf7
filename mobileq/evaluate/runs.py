"""One loop for all who look at what a model makes of samples: feed, run, and read meanwhile."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

from mobileq.parallel import in_parallel
from mobileq.targets.base import Runner

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mobileq.calibration.samples import Sample


def run_each(
    runner: Runner, samples: Iterable[Sample]
) -> Generator[tuple[Sample, dict[str, NDArray[Any]]], None, None]:
    """Each sample and its outputs; the next one runs while the caller looks at them."""
    return in_parallel(lambda sample: runner.run(sample.feeds), samples, 1)
