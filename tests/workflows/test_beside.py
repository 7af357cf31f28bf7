"""Work that is begun early, and what its listener hears of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mobileq.progress import Advance
from mobileq.workflows.beside import Beside, made_early

PATIENCE_S = 60


class Listener:
    """Keeps what it is told, and by which thread."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None]] = []
        self.counted: dict[str, int] = {}
        self.notices: list[str] = []
        self.threads: set[threading.Thread] = set()

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        self.threads.add(threading.current_thread())
        self.stages.append((name, total))

        def advance(count: int = 1, /) -> None:
            self.counted[name] = self.counted.get(name, 0) + count

        yield advance

    def notice(self, text: str) -> None:
        self.threads.add(threading.current_thread())
        self.notices.append(text)


def test_what_a_thread_tells_is_heard_where_somebody_waits() -> None:
    listener = Listener()
    beside = Beside(listener)
    inside, go_on = threading.Event(), threading.Event()

    def work() -> None:
        with beside.stage("Measuring", 3) as advance:
            advance()
            advance(2)
            inside.set()
            go_on.wait(PATIENCE_S)
        beside.notice("It was little.")

    with beside.begun(work):
        assert inside.wait(PATIENCE_S)
        with beside.stage("Converting") as advance:
            advance()
        assert (listener.stages, listener.notices) == ([("Converting", None)], [])
        threading.Timer(0.5, go_on.set).start()
        beside.wait()
        assert listener.notices == ["It was little."]
    assert listener.stages == [("Converting", None), ("Measuring", 3)]
    assert listener.counted == {"Converting": 1, "Measuring": 3}
    assert listener.threads == {threading.current_thread()}
    beside.wait()  # nothing is begun any more


def test_work_that_nobody_waited_for_ends_at_its_next_step() -> None:
    beside = Beside(Listener())
    steps = 0

    def work() -> None:
        nonlocal steps
        with beside.stage("Measuring", 10**9) as advance:
            while True:
                steps += 1
                advance()

    with pytest.raises(ValueError, match="meanwhile"), beside.begun(work):
        raise ValueError("meanwhile")
    ended = steps
    assert 0 <= ended < 10**9
    with beside.begun(lambda: None):
        beside.wait()
    assert steps == ended


def test_what_failed_is_told_who_waits() -> None:
    beside = Beside(Listener())

    def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), beside.begun(work):
        beside.wait()


@pytest.mark.parametrize("early", [True, False])
def test_what_is_made_early_is_made_beside_the_block(early: bool) -> None:
    made = threading.Event()
    threads: list[threading.Thread] = []

    def make() -> int:
        threads.append(threading.current_thread())
        made.set()
        return 42

    with made_early(make, early=early) as thing:
        assert made.wait(PATIENCE_S if early else 0) == early
        assert thing() == 42
    assert (threads == [threading.current_thread()]) == (not early)


def test_what_fails_early_fails_where_it_is_wanted() -> None:
    def make() -> int:
        raise ValueError("no such thing")

    with made_early(make, early=True):
        pass  # it was not wanted
    with made_early(make, early=True) as thing, pytest.raises(ValueError, match="no such thing"):
        thing()
