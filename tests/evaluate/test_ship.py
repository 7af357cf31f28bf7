"""Which file to ship: by quality, then speed, then size, and what is not known is said."""

from __future__ import annotations

import pytest

from mobileq.evaluate.ship import Candidate, Ship, which_to_ship
from mobileq.page import TextPage
from mobileq.spec import Precision

UNTIMED = "Speed was not measured: see `mobileq validate`."


def _file(
    precision: Precision,
    megabytes: float,
    agreement: float | None = None,
    *,
    accuracy: float | None = None,
    sqnr_db: float | None = None,
    latency_ms: float | None = None,
    target: str = "tflite",
) -> Candidate:
    return Candidate(
        name=f"net-{precision}.{target}",
        target=target,
        precision=precision,
        size_bytes=round(megabytes * 1e6),
        accuracy=accuracy,
        agreement=agreement,
        sqnr_db=sqnr_db,
        latency_ms=latency_ms,
    )


def _lines(ship: Ship) -> list[str]:
    page = TextPage()
    ship.tell(page)
    return page.lines


def test_the_smallest_good_file_is_shipped_where_speed_is_not_known() -> None:
    files = [_file("fp32", 8, 1.0), _file("fp16", 4, 1.0), _file("int8", 2, 0.93)]
    assert _lines(which_to_ship(files)) == [
        f"Ship net-int8.tflite: it is the smallest (2.00 MB, agreement 0.930). {UNTIMED}"
    ]


def test_a_file_that_finds_little_is_left_out_however_small() -> None:
    files = [_file("fp32", 8, 1.0), _file("fp16", 4, 1.0), _file("int8", 2, 0.49)]
    ship = which_to_ship(files)
    assert ship.file == "net-fp16.tflite"
    assert ship.why == (
        "it is the smallest (4.00 MB, agreement 1.000). "
        f"Not good enough: net-int8.tflite (agreement 0.490). {UNTIMED}"
    )


def test_noise_alone_is_judged_by_what_the_precision_should_reach() -> None:
    dynamic, int8 = _file("dynamic", 2.2, sqnr_db=19.0), _file("int8", 2, sqnr_db=16.0)
    fp16 = _file("fp16", 4, sqnr_db=18.0)
    assert which_to_ship([fp16, dynamic, int8]).file == int8.name
    assert which_to_ship([fp16, dynamic]).file == fp16.name


def test_of_files_of_about_one_size_the_nearest_to_the_model_is_shipped() -> None:
    files = [_file("w8", 1.07, 0.91), _file("int8", 1.04, 0.71)]
    ship = which_to_ship(files)
    assert ship.file == "net-w8.tflite"
    assert ship.why.startswith("of the 2 smallest it is the nearest to the ONNX model (1.07 MB, ")


def test_measured_accuracy_and_speed_decide_before_size() -> None:
    files = [
        _file("fp32", 8, accuracy=1.0, latency_ms=20.0),
        _file("fp16", 4, accuracy=1.0, latency_ms=21.0),
        _file("dynamic", 2, accuracy=0.99, latency_ms=30.0),
        _file("int8", 2.1, accuracy=0.94, latency_ms=5.0),
    ]
    ship = which_to_ship(files)
    assert ship.file == "net-fp16.tflite"
    assert ship.why == (
        "of the 2 fastest it is the smallest (21.0 ms, 4.00 MB, 100.0% of the ONNX model's "
        "accuracy). Not good enough: net-int8.tflite (94.0% of the ONNX model's accuracy). "
        "Times are of this machine, not of a phone."
    )


def test_where_no_file_is_good_the_nearest_is_named_with_a_warning() -> None:
    files = [_file("dynamic", 2, 0.4), _file("int8", 1.9, 0.2)]
    ship = which_to_ship(files)
    assert ship.file == "net-dynamic.tflite"
    assert ship.why == (
        "no file is as good as it should be, and it is the nearest (agreement 0.400); look at what "
        "it gives before you do."
    )


def test_one_file_is_shipped_for_want_of_others() -> None:
    ship = which_to_ship([_file("fp32", 8)])
    assert ship.why == f"it is the only file (8.00 MB, exact). {UNTIMED}"
    ship = which_to_ship([_file("fp32", 8, 1.0), _file("int8", 2, 0.3)])
    assert ship.why == (
        "it is the only one that is good enough (8.00 MB, agreement 1.000). "
        f"Not good enough: net-int8.tflite (agreement 0.300). {UNTIMED}"
    )


def test_without_files_nothing_is_said() -> None:
    assert which_to_ship([]).file is None
    assert _lines(which_to_ship([])) == []


def test_int8_that_is_larger_slower_and_worse_is_told_so_in_one_line() -> None:
    files = [
        _file("fp32", 8, 1.0, latency_ms=2.0),
        _file("fp16", 4, 1.0, latency_ms=6.0),
        _file("dynamic", 2, 0.97, latency_ms=5.0),
        _file("int8", 2.5, 0.80, latency_ms=7.0),
    ]
    line, _ = _lines(which_to_ship(files))
    assert line == (
        "net-int8.tflite (2.50 MB, 7.0 ms, agreement 0.800) is larger than net-dynamic.tflite "
        "(2.00 MB); slower than net-fp16.tflite (6.0 ms) and net-dynamic.tflite (5.0 ms); worse "
        "than net-fp16.tflite (agreement 1.000) and net-dynamic.tflite (agreement 0.970)."
    )


@pytest.mark.parametrize("agreement", [0.95, 0.90])
def test_int8_that_loses_nothing_to_speak_of_is_not_complained_of(agreement: float) -> None:
    files = [_file("fp16", 4, 1.0), _file("dynamic", 2.2, 0.97), _file("int8", 2, agreement)]
    assert which_to_ship(files).beside == ()
    files[1] = _file("dynamic", 1.99, 0.97)
    assert which_to_ship(files).beside == ()


def test_to_be_better_than_the_model_itself_is_chance() -> None:
    files = [_file("dynamic", 2.2, accuracy=1.03), _file("int8", 2, accuracy=0.99)]
    assert which_to_ship(files).beside == ()


def test_files_of_another_runtime_are_no_reproach() -> None:
    files = [_file("fp16", 1, 1.0, target="mnn"), _file("int8", 2, 0.7)]
    assert which_to_ship(files).beside == ()
