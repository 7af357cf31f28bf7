"""What phones say of themselves."""

from __future__ import annotations

import pytest

from mobileq.device.adb import Adb, find_adb
from mobileq.device.facts import DeviceFacts, free_bytes, read_facts
from mobileq.device.phone import Phone
from mobileq.errors import DeviceError

from .fixtures import Phones
from .loopback import LoopbackDevice


def facts(device: LoopbackDevice, limit_s: float = 20) -> tuple[DeviceFacts, str]:
    return read_facts(Phone(Adb(find_adb().path, device.serial, limit_s=limit_s)))


def test_a_phone_of_today_says_everything(phones: Phones) -> None:
    device = phones()
    device.sandbox.capacity = 5_000_000_000
    found, problem = facts(device)
    assert problem == ""
    assert found.free_bytes is not None
    assert 4_990_000_000 < found.free_bytes < 5_000_000_000
    assert found == DeviceFacts(
        model="Example Loop 9",
        android="15",
        api=35,
        abis=("arm64-v8a", "armeabi-v7a", "armeabi"),
        soc="Tensor G4",
        ram_bytes=11843212 * 1024,
        ram_free_bytes=6021144 * 1024,
        free_bytes=found.free_bytes,
        page_bytes=4096,
        battery=83,
        battery_celsius=28.7,
        charging="charging",
        thermal_status="none",
    )


def test_an_old_phone_says_less(phones: Phones) -> None:
    device = phones(
        properties={
            "ro.product.model": "EXAMPLE one",
            "ro.build.version.sdk": "24",
            "ro.soc.manufacturer": "",
            "ro.soc.model": "",
        }
    )
    device.sandbox.remove("getconf", "dumpsys", "df")
    device.sandbox.write("proc/self/smaps", "Size: 4 kB\nKernelPageSize:        16 kB\n")
    found, problem = facts(device)
    assert problem == ""
    assert (found.model, found.soc, found.api) == ("EXAMPLE one", "zumapro", 24)
    assert found.page_bytes == 16384
    assert (found.free_bytes, found.battery, found.thermal_status) == (None, None, None)
    assert dict(found.rows())["battery"] == "-"


def test_values_of_any_bytes_are_kept_apart(phones: Phones) -> None:
    device = phones()
    device.sandbox.write(
        "etc/getprop.txt",
        b"[a]: [two\nlines]\n[ro.product.model]: [Caf\xe9 [7]]\n[ro.build.version.sdk]: [x]\n",
    )
    found, _ = facts(device)
    assert found.model == "Caf\\xe9 [7]"
    assert found.api is None


def test_a_part_that_hangs_costs_only_itself(phones: Phones) -> None:
    device = phones()
    device.sandbox.install("dumpsys", "exec sleep 60")
    found, problem = facts(device, limit_s=2)
    assert found.model == "Example Loop 9"
    assert found.page_bytes == 4096
    assert found.battery is None
    assert "within 2 s" in problem


def test_a_phone_that_says_nothing_is_an_error(phones: Phones) -> None:
    device = phones()
    device.sandbox.delay_s = 3
    with pytest.raises(DeviceError, match="no answer"):
        facts(device, limit_s=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Filesystem      1K-blocks     Used Available Use% Mounted on\n"
            "/dev/block/dm-44 112853044 9404352 103300836   9% /data\n",
            103300836 * 1024,
        ),
        (  # toybox of Android 7: a long name has a line of its own
            "Filesystem 1K-blocks Used Available Use% Mounted on\n"
            "/dev/block/platform/soc/624000.ufshc/by-name/userdata\n"
            "            52428800 100 5 100% /data\n",
            5 * 1024,
        ),
        ("df: /data/local/tmp: Permission denied\n", None),
        ("", None),
    ],
)
def test_df_is_read_from_the_right(text: str, expected: int | None) -> None:
    assert free_bytes(text) == expected
