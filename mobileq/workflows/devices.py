"""`mobileq devices`: which phones are connected, what they are and how they are."""

from __future__ import annotations

from dataclasses import replace

from mobileq.device.adb import NO_PHONE, Adb, find_adb
from mobileq.device.facts import Device, Devices, device
from mobileq.device.listing import Listed, listed
from mobileq.device.phone import Phone
from mobileq.errors import DeviceError, UsageError
from mobileq.paths import StrPath


def devices(*, serial: str | None = None, adb: StrPath | None = None) -> Devices:
    """Ask every phone that adb knows of.

    Args:
        serial: Of the only one to ask.
        adb: The program, where it is not on PATH or in an Android SDK.

    Raises:
        MissingDependencyError: There is no adb.
        UsageError: There is no phone with that serial.
        DeviceError: adb's server can't be reached.
    """
    program = find_adb(adb)
    phones = listed(program)
    if serial is not None:
        names = ", ".join(each.shown for each in phones)
        phones = [each for each in phones if each.serial == serial]
        if not phones:
            raise UsageError(
                f"There is no device {serial}.", f"Choose of: {names}." if names else NO_PHONE
            )
    found = tuple(_asked(program, each) for each in phones)
    return Devices(devices=found, hint="" if found else NO_PHONE)


def _asked(adb: Adb, listed: Listed) -> Device:
    if not listed.is_ready:
        return Device(
            serial=listed.serial,
            state=listed.state,
            problem=f"{listed.serial} is {listed.state}.",
            remedy=listed.remedy,
        )
    try:
        return device(Phone(replace(adb, serial=listed.serial)), listed)
    except DeviceError as error:
        return Device(
            serial=listed.serial, state=listed.state, problem=error.message, remedy=error.hint
        )
