"""`mobileq devices`."""

from __future__ import annotations

from tests.device.fixtures import Phones

from .commands import Cli


def test_two_that_are_ready_and_one_that_is_not(cli: Cli, phones: Phones) -> None:
    one, two = phones(), phones(properties={"ro.product.model": "Seven\x1b[31m"})
    three = phones(state="unauthorized")
    result = cli("devices")
    assert (result.code, result.err) == (0, "")
    for text in (one.serial, "Example Loop 9", two.serial, "Example Seven\\x1b[31m", "15 (API 35)"):
        assert text in result.out
    assert "83 %, charging, 28.7 \N{DEGREE SIGN}C" in result.out
    assert f"{three.serial} is unauthorized. Unlock the phone and allow" in result.out
    document = cli("devices", "--json").document
    assert {each["serial"]: each["state"] for each in document["devices"]} == {
        one.serial: "device", two.serial: "device", three.serial: "unauthorized",
    }  # fmt: skip
    only = cli("devices", "--serial", two.serial, "--json").document["devices"]
    assert [each["facts"]["model"] for each in only] == ["Example Seven\x1b[31m"]


def test_a_phone_that_is_too_old_is_listed_and_said_to_be(cli: Cli, phones: Phones) -> None:
    old = {"ro.build.version.release": "6.0.1", "ro.build.version.sdk": "23"}
    phones(properties=old, features="cmd,stat_v2")
    result = cli("devices")
    assert result.code == 0
    assert "6.0.1 (API 23)" in result.out
    assert "Its Android 6.0.1 is too old to push to. Take a phone with Android 7" in result.out


def test_none_that_is_ready_has_an_exit_code_of_its_own(cli: Cli, phones: Phones) -> None:
    result = cli("devices")
    assert (result.code, result.err) == (5, "")
    assert "No phone is connected. Plug one in with USB debugging on" in result.out
    document = cli("devices", "--json")
    assert (document.code, document.document["devices"]) == (5, [])
    phone = phones()
    phone.unplug()
    result = cli("devices")
    assert result.code == 5
    assert f"{phone.serial} is offline. Plug it in again" in result.out


def test_slips_name_what_there_is(cli: Cli, phones: Phones) -> None:
    phone = phones()
    said = cli.fails(2, "devices", "--serial", "other")
    assert f"There is no device other. Try: Choose of: {phone.serial} (Loop 9)." in said
    assert "is no program" in cli.fails(2, "devices", "--adb", "/no/adb")
