"""What a phone is, and how it is: read with one command of its shell."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mobileq.device.adb import OverdueError, as_text
from mobileq.device.listing import Listed
from mobileq.device.phone import Phone, quoted
from mobileq.page import Page, Told
from mobileq.spec import Spec

TEMPORARY = "/data/local/tmp"
"""Where the shell's user may write, and run programs from."""
OLDEST_API = 24
"""adb's shell has exit codes and closes a program's stdin since then."""
TOO_OLD = f"Take a phone with Android 7 (API {OLDEST_API}) or later."
_PARTS = {
    "properties": "getprop",
    "memory": "cat /proc/meminfo",
    "disk": f"df -k {TEMPORARY}",
    "page": "getconf PAGE_SIZE || grep -m 1 KernelPageSize /proc/self/smaps",
    "battery": "dumpsys -t 5 battery",
    "thermal": "dumpsys -t 5 thermalservice",
}
"""In this order, for the last ones can be slow."""
_MARK = "--- mobileq: "
_CHARGING = {2: "charging", 3: "discharging", 4: "not charging", 5: "full"}
"""android.os.BatteryManager.BATTERY_STATUS_*"""
_THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""android.os.PowerManager.THERMAL_STATUS_*"""


class DeviceFacts(Spec, frozen=True, kw_only=True):
    """What a phone says of itself; None is what it does not say.

    Attributes:
        abis: Best first.
        ram_bytes, ram_free_bytes: Of the system; what could be had without swapping.
        free_bytes: On the disk of /data/local/tmp.
        page_bytes: Of memory. Libraries aligned to 4096 do not load where it is 16384.
        battery: Percent.
        thermal_status: Of Android 10 or later; `none` is not throttled.
    """

    model: str
    android: str
    api: int | None
    abis: tuple[str, ...]
    soc: str
    ram_bytes: int | None
    ram_free_bytes: int | None
    free_bytes: int | None
    page_bytes: int | None
    battery: int | None
    battery_celsius: float | None
    charging: str | None
    thermal_status: str | None

    def rows(self) -> list[tuple[str, str]]:
        """What there is to tell, name by name."""
        told = [
            ("Android", f"{self.android} (API {self.api})" if self.api else self.android),
            ("ABIs", ", ".join(self.abis)),
            ("SoC", self.soc),
            ("RAM", _both(_gigabytes(self.ram_bytes), _gigabytes(self.ram_free_bytes), " free")),
            ("free space", _gigabytes(self.free_bytes)),
            ("page size", f"{self.page_bytes // 1024} kB" if self.page_bytes else ""),
            ("battery", ", ".join(self._battery())),
            ("thermal state", self.thermal_status or ""),
        ]
        return [(name, text or "-") for name, text in told]

    def _battery(self) -> list[str]:
        told = [] if self.battery is None else [f"{self.battery} %"]
        told += [self.charging] if self.charging else []
        celsius = self.battery_celsius
        return told if celsius is None else [*told, f"{celsius:.1f} \N{DEGREE SIGN}C"]


class Device(Spec, frozen=True, kw_only=True):
    """A phone: as adb lists it, and where it is ready, what it is.

    `problem` is why nothing, or not all, is known of it; `remedy` what to do.
    """

    serial: str
    state: str
    problem: str = ""
    remedy: str = ""
    facts: DeviceFacts | None = None

    def tell(self, page: Page) -> None:
        """A table of it, or why there is none."""
        if self.facts:
            rows = self.facts.rows()
            page.table((self.serial, self.facts.model or "-"), rows)
        if self.problem:
            page.line(f"{self.problem} {self.remedy}", "bad")


class Devices(Told, Spec, frozen=True, kw_only=True):
    """All that are connected."""

    devices: tuple[Device, ...]
    hint: str = ""
    """Where there are none: how one is connected."""

    @property
    def is_any_ready(self) -> bool:
        """Whether there is one to work with."""
        return any(each.facts for each in self.devices)

    def tell(self, page: Page) -> None:
        """One after the other."""
        for each in self.devices:
            each.tell(page)
        if not self.devices:
            page.line(f"No phone is connected. {self.hint}", "bad")


def read_facts(phone: Phone) -> tuple[DeviceFacts, str]:
    """What a phone is, and a sentence where it did not tell all of it in time.

    Raises:
        DisconnectedError: It went away.
        DeviceError: adb failed, or the phone told nothing.
    """
    script = "\n".join(f"echo; echo {quoted(_MARK + name)}; {run}" for name, run in _PARTS.items())
    problem = ""
    try:
        text = phone.shell(script).text
    except OverdueError as error:
        if not error.out:
            raise
        text, problem = as_text(error.out), error.message
    parts = dict.fromkeys(_PARTS, "")
    for piece in text.split(f"\n{_MARK}")[1:]:
        name, _, said = piece.partition("\n")
        parts[name.strip()] = said
    return _facts(parts), problem


def device(phone: Phone, listed: Listed) -> Device:
    """One that is ready."""
    facts, problem = read_facts(phone)
    remedy = "What is missing is left out; restart the phone if it stays so." if problem else ""
    if facts.api is not None and facts.api < OLDEST_API:
        problem, remedy = f"Its Android {facts.android} is too old to push to.", TOO_OLD
    return Device(
        serial=listed.serial, state=listed.state, problem=problem, remedy=remedy, facts=facts
    )


def _facts(parts: Mapping[str, str]) -> DeviceFacts:
    properties = dict(re.findall(r"^\[([^\]\n]+)\]: \[(.*?)\]$", parts["properties"], re.M | re.S))

    def named(*names: str) -> str:
        return " ".join(found for name in names if (found := properties.get(name, "").strip()))

    maker, model = named("ro.product.manufacturer"), named("ro.product.model")
    if not model.lower().startswith(maker.lower()):
        model = f"{maker} {model}".strip()
    page = re.search(r"(\d+)\s*(kB)?", parts["page"])
    level, scale = (_number(rf"^\s*{key}: (\d+)", parts["battery"]) for key in ("level", "scale"))
    return DeviceFacts(
        model=model,
        android=named("ro.build.version.release"),
        api=_number(r"(\d+)", properties.get("ro.build.version.sdk", "")),
        abis=tuple(each for each in named("ro.product.cpu.abilist").split(",") if each),
        soc=named("ro.soc.manufacturer", "ro.soc.model")
        or named("ro.board.platform")
        or named("ro.hardware"),
        ram_bytes=_kilobytes(r"^MemTotal:\s+(\d+) kB", parts["memory"]),
        ram_free_bytes=_kilobytes(r"^MemAvailable:\s+(\d+) kB", parts["memory"]),
        free_bytes=free_bytes(parts["disk"]),
        page_bytes=int(page[1]) * (1024 if page[2] else 1) if page else None,
        battery=None if level is None else round(100 * level / (scale or 100)),
        battery_celsius=battery_celsius(parts["battery"]),
        charging=_CHARGING.get(_number(r"^\s*status: (\d+)", parts["battery"]) or 0),
        thermal_status=thermal_status(parts["thermal"]),
    )


def thermal_status(dump: str) -> str | None:
    """Android's word for how hot a phone is, of `dumpsys thermalservice`."""
    status = _number(r"Thermal Status: (\d+)", dump)
    return _THERMAL[status] if status is not None and status < len(_THERMAL) else None


def battery_celsius(dump: str) -> float | None:
    """Of `dumpsys battery`."""
    tenths = _number(r"^\s*temperature: (-?\d+)", dump)
    return None if tenths is None else tenths / 10


def free_bytes(df: str) -> int | None:
    """What `df -k` of one folder says is available.

    A long name of the disk can stand in a line of its own, so columns are counted from the right.

    >>> free_bytes("Filesystem 1K-blocks Used Available Use% Mounted on\\n/dev/a 9 2 7 3% /data")
    7168
    """
    match = re.search(r"(\d+)\s+\d+%\s+/\S*\s*$", df.strip())
    return int(match[1]) * 1024 if match else None


def _number(pattern: str, text: str) -> int | None:
    match = re.search(pattern, text, re.MULTILINE)
    return int(match[1]) if match else None


def _kilobytes(pattern: str, text: str) -> int | None:
    found = _number(pattern, text)
    return None if found is None else found * 1024


def _gigabytes(count: int | None) -> str:
    return "" if count is None else f"{count / 1e9:.1f} GB"


def _both(first: str, second: str, behind: str) -> str:
    return f"{first}, {second}{behind}" if first and second else first
