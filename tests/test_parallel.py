"""Work goes on side by side, in order, within bounds, and ends with whoever asked for it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobileq.parallel import ahead, import_ahead, in_parallel


def test_results_come_in_the_order_of_the_items() -> None:
    assert list(in_parallel(lambda n: n * n, range(50), 4)) == [(n, n * n) for n in range(50)]
    assert list(ahead(range(50), 3)) == list(range(50))
    assert list(ahead([], 3)) == []


def test_none_is_begun_in_a_pause() -> None:
    begun: list[int] = []
    results = in_parallel(begun.append, range(20), 2, pause=5)
    for _ in range(5):
        next(results)
    time.sleep(0.05)
    assert sorted(begun) == [0, 1, 2, 3, 4]
    assert len(list(results)) == 15


class Source:
    """Counts what is taken of it, and in which thread."""

    def __init__(self, count: int, broken_at: int | None = None) -> None:
        self.taken, self.count, self.broken_at = 0, count, broken_at
        self.threads: set[int] = set()

    def __iter__(self) -> Iterator[int]:
        for number in range(self.count):
            if number == self.broken_at:
                raise ValueError(f"{number} is broken")
            self.threads.add(threading.get_ident())
            self.taken += 1
            yield number


def test_no_more_is_made_in_advance_than_asked_for() -> None:
    source = Source(1000)
    items = ahead(source, 2)
    for wanted in range(10):
        assert next(items) == wanted
        assert source.taken <= wanted + 3
    items.close()
    assert source.taken <= 12
    assert source.threads
    assert threading.get_ident() not in source.threads


def test_error_of_the_source_comes_where_its_item_would() -> None:
    items = ahead(Source(9, broken_at=4), 3)
    assert [next(items) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="4 is broken"):
        next(items)


def test_who_leaves_early_waits_for_nothing_that_has_not_begun() -> None:
    begun: list[int] = []
    results = in_parallel(begun.append, range(1000), 1)
    next(results)
    results.close()
    assert len(begun) <= 4


def test_imports_go_on_meanwhile_and_what_fails_is_left_to_who_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_ahead.py").write_text("raise ValueError('no')\n")
    (tmp_path / "wanted_ahead.py").write_text("import threading\nby = threading.current_thread()\n")
    monkeypatch.syspath_prepend(tmp_path)
    import_ahead("broken_ahead", "wanted_ahead")
    until = time.monotonic() + 60.0
    while not hasattr(sys.modules.get("wanted_ahead"), "by"):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert sys.modules.pop("wanted_ahead").by is not threading.current_thread()
    with pytest.raises(ValueError, match="no"):
        __import__("broken_ahead")
