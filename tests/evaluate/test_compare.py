"""Which files are worse, and what a limit can tell."""

from __future__ import annotations

import pytest

from mobileq.evaluate.compare import FileComparison, files_worse, unseen
from mobileq.evaluate.report import Lost
from mobileq.tasks.base import measure_of


def _file(value: float, error: float | None, name: str = "tflite-int8") -> FileComparison:
    lost = Lost(value=value, error=error)
    return FileComparison(name=name, is_same=False, size_before=1, size_after=1, lost=lost)


@pytest.mark.parametrize(
    ("value", "error", "is_found"),
    [(0.02, 0.005, True), (0.02, 0.015, False), (0.02, None, False)],
)
def test_a_loss_beyond_the_limit_counts_and_it_is_said_whether_it_may_be_chance(
    value: float, error: float | None, is_found: bool
) -> None:
    measure = measure_of("detect")
    assert measure is not None
    (found,) = files_worse([_file(value, error)], (), 0.01, measure)
    assert found.is_found is is_found
    assert ("is worse" in found.why) is is_found
    assert ("may be chance" in found.why) is not is_found
    assert "mAP50-95, more than 0.01" in found.why


def test_a_loss_within_the_limit_passes_however_sure_it_is() -> None:
    measure = measure_of("detect")
    assert measure is not None
    files = [_file(0.01, 0.001), _file(-0.2, 0.01), _file(0.5, 0.01, "onnx")]
    assert files_worse(files, (), 0.01, measure) == ()


def test_noise_larger_than_the_limit_is_said_of_what_passed() -> None:
    assert unseen([_file(0.0, 0.004)], 0.01, 100) is None
    told = unseen([_file(0.0, 0.02), _file(0.0, 0.001)], 0.01, 100)
    assert told is not None
    assert "On 100 pictures a loss of less than 0.0400 can't be told from none" in told
    assert unseen([_file(0.3, 0.02)], 0.01, 100) is None  # it did not pass
