"""How long a warm phone is waited for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mobileq.phone_condition import Condition
from mobileq.progress import Silent
from mobileq.workflows import cooling
from mobileq.workflows.cooling import Cooling


class Phone:
    """One that is as it is told, again and again."""

    name = "Loop 9"

    def __init__(self, *told: Condition) -> None:
        self._told: Iterator[Condition] = iter(told)

    def condition(self) -> Condition:
        return next(self._told)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept; time goes on by that alone."""
    durations: list[float] = []
    monkeypatch.setattr(cooling.time, "sleep", durations.append)
    monkeypatch.setattr(cooling.time, "monotonic", lambda: sum(durations))
    return durations


def warm(celsius: float | None, status: str | None = "none") -> Condition:
    return Condition(thermal_status=status, celsius=celsius, sensor="skin")


def test_a_phone_that_became_warm_is_waited_for(slept: list[float]):
    heard = Silent()
    told = (warm(30), warm(36), warm(34), warm(32.5))
    phone = Cooling(Phone(*told), 120, heard)  # type: ignore[arg-type]
    assert phone.wait().celsius == 30
    assert slept == []
    assert phone.wait().celsius == 32.5
    assert slept == [5, 5]
    assert len(heard.notices) == 1


def test_the_wait_has_an_end(slept: list[float]):
    phone = Cooling(Phone(*[warm(None, "severe")] * 9), 12, Silent())  # type: ignore[arg-type]
    assert phone.wait().thermal_status == "severe"
    assert slept == [5, 5, 2]


@pytest.mark.parametrize("told", [warm(40, "severe"), warm(None, None)])
def test_nobody_waits_for_nothing(told: Condition, slept: list[float]):
    heard = Silent()
    Cooling(Phone(told), 0, heard).wait()  # type: ignore[arg-type]
    assert (slept, heard.notices) == ([], [])
