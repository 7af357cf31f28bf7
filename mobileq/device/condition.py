"""Asks a phone how warm it is, and what its clocks may be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mobileq.device.facts import battery_celsius, thermal_status
from mobileq.device.phone import Phone
from mobileq.phone_condition import Cluster, Condition

_CLOCKS = "/sys/devices/system/cpu/cpu[0-9]*/cpufreq"
"""Older kernels have no folder of their own for each cluster."""
_FILES = ("related_cpus", "scaling_governor", "scaling_cur_freq", "scaling_max_freq")
_HIGHEST = "cpuinfo_max_freq"
_MARK = "--- mobileq"
_SCRIPT = f"""dumpsys -t 5 thermalservice; echo '{_MARK}'; dumpsys -t 5 battery
for each in {_CLOCKS}; do
    echo '{_MARK}'
    for name in {" ".join(_FILES)} {_HIGHEST}; do echo "$name=$(cat $each/$name 2>/dev/null)"; done
done"""
_LEAST_CELSIUS = -40.0
"""Samsung tells -99.9 of a sensor that does not measure."""


def read_condition(phone: Phone) -> Condition:
    """Ask a phone.

    Raises:
        DisconnectedError: It went away.
        DeviceError: adb failed, or it gave no answer.
    """
    thermal, battery, *clocks = phone.shell(_SCRIPT).text.split(_MARK)
    skin = _skin(thermal)
    celsius = battery_celsius(battery) if skin is None else skin
    return Condition(
        thermal_status=thermal_status(thermal),
        celsius=celsius,
        sensor="" if celsius is None else "battery" if skin is None else "skin",
        clusters=tuple(_clusters(clocks)),
    )


def _skin(dump: str) -> float | None:
    """The warmest skin sensor now; what was cached may be old. By its name: the numbers of kinds
    are not the same with all makers."""
    now = dump.partition("Current temperatures from HAL:")[2]
    now = now.partition("Current cooling devices")[0]
    found = re.findall(r"mValue=(-?[\d.]+),[^}]*mName=[^,}]*skin", now, re.IGNORECASE)
    values = [float(each) for each in found if re.fullmatch(r"-?\d+(\.\d+)?", each)]
    return max((each for each in values if each > _LEAST_CELSIUS), default=None)


def _clusters(parts: list[str]) -> Iterator[Cluster]:
    seen = set()
    for at, part in enumerate(parts):
        said = dict(line.partition("=")[::2] for line in part.split("\n") if "=" in line)
        cpus = said.get(_FILES[0], "").strip() or str(at)
        now, limit, highest = (_frequency(said.get(each)) for each in (*_FILES[2:], _HIGHEST))
        governor = said.get(_FILES[1], "").strip() or None
        if cpus not in seen and (governor, now, limit, highest) != (None,) * 4:
            seen.add(cpus)
            yield Cluster(
                cpus=cpus, governor=governor, now_mhz=now, limit_mhz=limit, highest_mhz=highest
            )


def _frequency(text: str | None) -> float | None:
    """Of kHz."""
    digits = (text or "").strip()
    return int(digits) / 1000 if digits.isascii() and digits.isdigit() else None
