"""Heat and clocks, as phones tell them."""

from __future__ import annotations

import shutil

import pytest

from mobileq.device.adb import Adb, find_adb
from mobileq.device.condition import read_condition
from mobileq.device.phone import Phone
from mobileq.phone_condition import Cluster, Condition, slowed

from .fixtures import Phones
from .loopback import LoopbackDevice

SAMSUNG = """Thermal Status: 0
Cached temperatures:
 \tTemperature{mValue=41.3, mType=4, mName=TYPE_SKIN, mStatus=0}
HAL Ready: true
Current temperatures from HAL:
\tTemperature{mValue=24.4, mType=3, mName=TYPE_BATTERY, mStatus=0}
\tTemperature{mValue=25.3, mType=4, mName=TYPE_SKIN, mStatus=0}
\tTemperature{mValue=-99.9, mType=4, mName=TYPE_SKIN_2, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=41, mType=3, mName=skin-gpu}
"""
"""As a Galaxy tells it: its numbers of kinds are not Android's, and -99.9 measures nothing."""


def condition(device: LoopbackDevice) -> Condition:
    return read_condition(Phone(Adb(find_adb().path, device.serial, limit_s=20)))


def cluster(cpus: str, limit: float | None, highest: float = 2850) -> Cluster:
    return Cluster(cpus=cpus, governor="schedutil", limit_mhz=limit, highest_mhz=highest)


def test_a_phone_of_today_says_everything(phones: Phones) -> None:
    device = phones()
    device.sandbox.set_clock(4, cur=2401000, max=1401000)
    found = condition(device)
    assert (found.thermal_status, found.celsius, found.sensor) == ("none", 31.9, "skin")
    assert found.clusters == (
        Cluster(
            cpus="0 1 2 3", governor="schedutil", now_mhz=300, limit_mhz=1950, highest_mhz=1950
        ),
        Cluster(
            cpus="4 5 6 7", governor="schedutil", now_mhz=2401, limit_mhz=1401, highest_mhz=2850
        ),
    )
    assert str(found) == (
        "thermal state none, skin 31.9 \N{DEGREE SIGN}C, "
        "CPUs 4 5 6 7 may have 1401 of 2850 MHz (schedutil)"
    )
    assert found.unknown == ""


def test_skin_is_known_by_its_name_and_by_what_is_measured_now(phones: Phones) -> None:
    device = phones()
    device.sandbox.write("etc/dumpsys/thermalservice", SAMSUNG)
    assert condition(device).celsius == 25.3


@pytest.mark.parametrize("dump", ["", "Thermal Status: 99999999999999\nCurrent temp\udcff", "}{"])
def test_without_a_skin_sensor_it_is_the_battery(phones: Phones, dump: str) -> None:
    device = phones()
    device.sandbox.write("etc/dumpsys/thermalservice", dump.encode("utf-8", "surrogateescape"))
    found = condition(device)
    assert (found.thermal_status, found.celsius, found.sensor) == (None, 28.7, "battery")
    assert found.unknown == "does not tell its thermal state"


def test_clocks_that_cannot_be_read_are_unknown(phones: Phones) -> None:
    device = phones()
    clocks = device.sandbox.place("sys/devices/system/cpu")
    for cpu in range(8):
        (clocks / f"cpu{cpu}/cpufreq/scaling_max_freq").unlink()
    device.sandbox.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "<unknown>\n")
    found = condition(device)
    assert [(each.now_mhz, each.limit_mhz) for each in found.clusters] == [
        (None, None),
        (300, None),
    ]
    assert found.unknown == "does not tell what its clocks may be"
    shutil.rmtree(clocks)
    assert condition(device).clusters == ()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (("none", 2850), ("none", 2850), ""),
        (("none", 1401), ("none", 1401), ""),  # a maker's own limit
        (("none", 1401), ("none", 2850), ""),
        (("none", 2850), ("none", None), ""),
        ((None, None), (None, None), ""),
        (("none", 2850), ("light", 2850), "thermal state none, then light"),
        (("severe", 2850), (None, 2850), "thermal state severe, then unknown"),
        (("none", 2850), ("none", 1401), "CPUs 4-7 may have 1401 MHz after 2850"),
    ],
)
def test_a_phone_is_slowed_by_heat_or_by_a_limit_that_falls(
    before: tuple[str | None, float | None], after: tuple[str | None, float | None], said: str
) -> None:
    first, second = (
        Condition(thermal_status=status, clusters=(cluster("4-7", limit),))
        for status, limit in (before, after)
    )
    assert slowed(first, second) == said
