"""Which file keeps within limits of loss, time and size, and what each limit costs."""

from __future__ import annotations

import pytest

from mobileq.errors import UsageError
from mobileq.evaluate.recommend import Limits, Recommendation, recommend
from mobileq.evaluate.ship import Candidate
from mobileq.page import TextPage
from mobileq.spec import Precision


def _file(
    precision: Precision, lost: float | None, ms: float | None, megabytes: float
) -> Candidate:
    return Candidate(
        name=f"net-{precision}.tflite",
        target="tflite",
        precision=precision,
        size_bytes=round(megabytes * 1e6),
        agreement=None if lost is None else 1.0 - lost,
        lost=lost,
        latency_ms=ms,
    )


FILES = (
    _file("fp32", 0.0, 20.0, 8.0),
    _file("fp16", 0.0001, 21.0, 4.0),
    _file("dynamic", 0.04, 30.0, 2.0),
    _file("int8", 0.08, 5.0, 2.1),
)


def _among(**limits: float) -> Recommendation:
    return recommend(FILES, Limits(**limits), "measured")


def _lines(found: Recommendation) -> list[str]:
    page = TextPage()
    found.tell(page)
    return page.lines


def test_without_limits_it_is_what_is_shipped_anyway() -> None:
    found = _among()
    assert (found.file, found.nearest, found.costs) == ("net-int8.tflite", None, ())
    assert found.why.startswith("it is the fastest (5.0 ms, 2.10 MB, agreement 0.920)")


def test_each_limit_tells_which_file_it_has_cost() -> None:
    found = _among(max_loss=0.05, max_mb=3)
    assert (found.file, found.others) == ("net-dynamic.tflite", ())
    assert found.costs == (
        "Without --max-loss 0.05 it would be net-int8.tflite, which loses 0.0800, takes 5.0 ms "
        "and is 2.10 MB.",
        "Without --max-mb 3 it would be net-fp16.tflite, which loses 0.0001, takes 21.0 ms and "
        "is 4.00 MB.",
    )


def test_the_table_says_what_each_file_exceeds_and_in_which_order_the_others_follow() -> None:
    assert [line.split(" MB ")[-1].strip() for line in _lines(_among(max_loss=0.05))[2:6]] == [
        "then 2",
        "first",
        "then 3",
        "not within --max-loss 0.05",
    ]


def test_where_none_fits_the_nearest_is_named_with_what_it_costs() -> None:
    found = _among(max_loss=0.01, max_ms=15)
    assert (found.file, found.nearest) == (None, "net-fp32.tflite")
    assert found.why == (
        "No file keeps within --max-loss 0.01 and --max-ms 15; the nearest is net-fp32.tflite, "
        "which loses 0.0000, takes 20.0 ms and is 8.00 MB."
    )
    assert _lines(found)[-1] == found.why


def test_a_loss_that_somebody_accepts_is_good_enough() -> None:
    poor = [_file("int8", 0.6, 5.0, 2.0), _file("fp32", 0.0, 20.0, 8.0)]
    assert recommend(poor, Limits(), "").file == "net-fp32.tflite"
    found = recommend(poor, Limits(max_loss=0.7), "")
    assert (found.file, found.others) == ("net-int8.tflite", ("net-fp32.tflite",))


def test_no_loss_at_all_may_be_asked_for() -> None:
    found = _among(max_loss=0)
    assert found.file == "net-fp32.tflite"
    assert found.why.startswith("it is the only one within the limits (20.0 ms, 8.00 MB")
    assert _among(max_loss=0, max_mb=1).nearest in {each.name for each in FILES}


@pytest.mark.parametrize(
    ("limits", "said"),
    [({"max_ms": 10.0}, "How long the files take"), ({"max_loss": 0.1}, "What the files lose")],
)
def test_what_was_not_measured_cannot_be_limited(limits: dict[str, float], said: str) -> None:
    files = [*FILES, _file("int16x8", None, None, 2.0)]
    with pytest.raises(UsageError, match=said) as caught:
        recommend(files, Limits(**limits), "")
    assert "mobileq validate" in caught.value.hint
    assert recommend(files, Limits(max_mb=3), "").nearest is None
