"""Whoever listens hears of each piece of work once it is done."""

from contextlib import contextmanager

import pytest

from mobileq.progress import Silent, tracked


class Listener(Silent):
    def __init__(self):
        super().__init__()
        self.heard = []

    @contextmanager
    def stage(self, name, total=None):
        self.heard.append(f"begin {name} {total}")
        try:
            yield lambda: self.heard.append("advance")
        finally:
            self.heard.append("end")


def test_each_item_counts_when_the_next_is_asked_for():
    listener = Listener()
    for item in tracked("ab", listener, "work", 2):
        listener.heard.append(item)
    assert listener.heard == ["begin work 2", "a", "advance", "b", "advance", "end"]


def test_nothing_begins_before_the_first_item_is_asked_for():
    listener = Listener()
    items = tracked([1], listener, "work", None)
    assert listener.heard == []
    assert list(items) == [1]
    assert listener.heard[0] == "begin work None"


def test_work_without_items_begins_and_ends():
    listener = Listener()
    assert list(tracked([], listener, "work", 0)) == []
    assert listener.heard == ["begin work 0", "end"]


def test_stage_ends_where_the_work_fails():
    listener = Listener()

    def failing():
        yield 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(tracked(failing(), listener, "work", None))
    assert listener.heard == ["begin work None", "advance", "end"]


def test_stage_ends_where_nobody_asks_for_more():
    listener = Listener()
    items = tracked([1, 2], listener, "work", None)
    next(items)
    items.close()
    assert listener.heard == ["begin work None", "end"]


def test_items_are_taken_one_at_a_time():
    taken = []

    def source():
        for item in range(3):
            taken.append(item)
            yield item

    items = tracked(source(), Silent(), "work", 3)
    next(items)
    assert taken == [0]


def test_silence_keeps_the_notices(capsys):
    silent = Silent()
    with silent.stage("work", 1) as advance:
        advance()
    silent.notice("one")
    silent.notice("two")
    assert silent.notices == ["one", "two"]
    assert capsys.readouterr() == ("", "")
