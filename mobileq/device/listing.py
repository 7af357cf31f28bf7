"""Which phones there are, and which of them a command is for."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace

from mobileq.device.adb import NO_PHONE, REMEDIES, RESTART, Adb
from mobileq.errors import DeviceError, UsageError
from mobileq.spec import Spec

READY = "device"
_STATES = (READY, *REMEDIES)
_LINE = re.compile(rf"(?P<serial>\S.*?)\s+(?P<state>{'|'.join(_STATES)})\b(?P<rest>.*)", re.ASCII)
_GREETED = ("authorizing", "connecting")
_GREETING_TRIES, _GREETING_S = 6, 0.5
_HEADER = "List of devices attached"
_MODEL = re.compile(r"\bmodel:(\S+)")


class Listed(Spec, frozen=True, kw_only=True):
    """A phone as adb lists it: ready where `state` is `device`."""

    serial: str
    state: str
    model: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether it takes commands."""
        return self.state == READY

    @property
    def remedy(self) -> str:
        """What to do where it is not."""
        return "" if self.is_ready else REMEDIES.get(self.state, RESTART)

    @property
    def shown(self) -> str:
        """With its model, where adb knows it."""
        about = self.model or ("" if self.is_ready else self.state)
        return f"{self.serial} ({about})" if about else self.serial


def listed(adb: Adb) -> list[Listed]:
    """All phones that adb knows of; those that are just being greeted, as after adb's server was
    started, are waited for a moment.

    Raises:
        DeviceError: adb's server can't be reached.
    """
    phones = _listed_now(adb)
    for _ in range(_GREETING_TRIES):
        if not any(each.state in _GREETED for each in phones):
            break
        time.sleep(_GREETING_S)
        phones = _listed_now(adb)
    return phones


def _listed_now(adb: Adb) -> list[Listed]:
    answer = adb.run("devices", "-l")
    if answer.code != 0:
        raise adb.failure(answer)
    if _HEADER not in answer.text:
        raise UsageError(f"{adb.path} does not answer as adb does.", "Give another --adb.")
    return parsed(answer.text)


def parsed(text: str) -> list[Listed]:
    """What `adb devices -l` prints.

    >>> [each.shown for each in parsed("List of devices attached\\n8A  device model:Pixel_8\\n")]
    ['8A (Pixel 8)']
    """
    found = []
    for line in text.partition(_HEADER)[2].splitlines():
        match = _LINE.fullmatch(line.strip())
        if match:
            model = _MODEL.search(match["rest"])
            name = model[1].replace("_", " ") if model else ""
            found.append(Listed(serial=match["serial"], state=match["state"], model=name))
    return found


def chosen(adb: Adb, serial: str | None) -> Adb:
    """`adb` for the phone that a command is for: the one named, else that of ANDROID_SERIAL, else
    the only one that is ready.

    Raises:
        UsageError: There are several, or none of that name.
        DeviceError: There is none, or it is not ready.
    """
    phones = listed(adb)
    serial = serial or os.environ.get("ANDROID_SERIAL") or None
    if serial is not None:
        matching = [each for each in phones if each.serial == serial]
        if not matching:
            raise UsageError(f"There is no device {serial}.", _offered(phones))
    else:
        matching = [each for each in phones if each.is_ready] or phones
    if not matching:
        raise DeviceError("No phone is connected.", NO_PHONE)
    if len(matching) > 1:
        names = ", ".join(each.shown for each in matching)
        raise UsageError(
            f"There are {len(matching)} devices: {names}.",
            "Choose one with --serial, or with ANDROID_SERIAL.",
        )
    (phone,) = matching
    if not phone.is_ready:
        raise DeviceError(f"The device {phone.serial} is {phone.state}.", phone.remedy)
    return replace(adb, serial=phone.serial)


def _offered(phones: list[Listed]) -> str:
    if not phones:
        return f"None is connected. {NO_PHONE}"
    return f"Choose of: {', '.join(each.shown for each in phones)}."
