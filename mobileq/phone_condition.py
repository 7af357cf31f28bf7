"""How a phone was at one moment, as far as times depend on it: heat, and its processors' clocks."""

from __future__ import annotations

from mobileq.spec import Spec

COOL = "none"
"""Android's thermal state of a phone that heat does not slow down."""


class Cluster(Spec, frozen=True, kw_only=True):
    """Processors that share a clock; None is what can't be read.

    Attributes:
        cpus: Their numbers: "4 5 6 7".
        governor: What chooses the clock.
        now_mhz: At the moment of reading; where nothing runs it is low.
        limit_mhz: The highest that it may have now. Heat lowers it; so does battery saving, and
            some makers always do.
        highest_mhz: That the processor can.
    """

    cpus: str
    governor: str | None = None
    now_mhz: float | None = None
    limit_mhz: float | None = None
    highest_mhz: float | None = None

    @property
    def is_limited(self) -> bool:
        """Whether it may not have its highest clock."""
        both = self.limit_mhz, self.highest_mhz
        return None not in both and (both[0] or 0) < (both[1] or 0)

    def __str__(self) -> str:
        limit, highest = _mhz(self.limit_mhz), _mhz(self.highest_mhz)
        return f"CPUs {self.cpus} may have {limit} of {highest} MHz ({self.governor or 'unknown'})"


class Condition(Spec, frozen=True, kw_only=True):
    """How warm a phone is, and what its clocks may be.

    Attributes:
        thermal_status: Android's own word (10 or later); None where it does not tell.
        celsius: Of its skin, or where it does not tell that, of its battery.
        sensor: Which of the two.
        clusters: Empty where no clock can be read.
    """

    thermal_status: str | None = None
    celsius: float | None = None
    sensor: str = ""
    clusters: tuple[Cluster, ...] = ()

    @property
    def is_hot(self) -> bool:
        """Whether Android slows it down."""
        return self.thermal_status not in (None, COOL)

    @property
    def unknown(self) -> str:
        """What it does not tell, as a sentence without its subject; "" where all is told."""
        missing = []
        if self.thermal_status is None:
            missing.append("its thermal state")
        if self.celsius is None:
            missing.append("how warm it is")
        if not any(each.limit_mhz is not None for each in self.clusters):
            missing.append("what its clocks may be")
        return f"does not tell {' or '.join(missing)}" if missing else ""

    def __str__(self) -> str:
        told = [] if self.thermal_status is None else [f"thermal state {self.thermal_status}"]
        told += (
            [] if self.celsius is None else [f"{self.sensor} {self.celsius:.1f} \N{DEGREE SIGN}C"]
        )
        told += [str(each) for each in self.clusters if each.is_limited]
        return ", ".join(told) or "nothing told"


def slowed(before: Condition, after: Condition) -> str:
    """What shows that a phone was slowed down between two moments; "" where nothing does.

    A limit that stood before and after is none of that: some makers never allow the highest clock.
    """
    found = []
    if before.is_hot or after.is_hot:
        states = (each.thermal_status or "unknown" for each in (before, after))
        found.append("thermal state " + ", then ".join(states))
    earlier = {each.cpus: each.limit_mhz for each in before.clusters}
    for each in after.clusters:
        was = earlier.get(each.cpus)
        if was is not None and each.limit_mhz is not None and each.limit_mhz < was:
            found.append(f"CPUs {each.cpus} may have {_mhz(each.limit_mhz)} MHz after {_mhz(was)}")
    return "; ".join(found)


def _mhz(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f}"
