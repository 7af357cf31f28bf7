"""`mobileq doctor`: whether what mobileq stands on is there, line by line, and how to mend it."""

from __future__ import annotations

import os
import platform
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal

from mobileq.android.toolchain import Tool, find_gradle, find_java, find_sdk
from mobileq.cache import ResultCache
from mobileq.device.adb import NO_PHONE, find_adb
from mobileq.device.listing import listed
from mobileq.device.runner.kit import find_kit
from mobileq.errors import MobileqError
from mobileq.logfile import log_path
from mobileq.page import Page, Told, megabytes
from mobileq.paths import StrPath
from mobileq.progress import Progress, listener
from mobileq.spec import Spec
from mobileq.targets.info import NativePackage
from mobileq.targets.registry import TARGETS

_OLDEST, _NEWEST = (3, 12), (3, 13)
_NATIVES = (
    NativePackage(title="OpenCV", package="opencv-python", module="cv2"),
    *(native for target in TARGETS.values() for native in target.natives),
)
_REQUIREMENT = re.compile(r"([\w.-]+)==([\w.]+)(?:; extra == '(\w+)')?")
_IMPORT_LIMIT_S = 120.0


class Check(Spec, frozen=True, kw_only=True):
    """One thing.

    Attributes:
        state: `absent`: not there, and needed only for what `told` names.
        is_needed: By every command, or only for phones, apps and what is optional.
        told: What there is, or what is wrong.
        remedy: What mends it.
    """

    name: str
    state: Literal["ok", "absent", "wrong"]
    is_needed: bool
    told: str
    remedy: str = ""

    def tell(self, page: Page) -> None:
        """A line."""
        remedy = f" Try: {self.remedy}" if self.remedy else ""
        style = {"ok": "good", "absent": "quiet", "wrong": "bad"}[self.state]
        page.line(f"{self.state:<6}  {self.name}: {self.told}{remedy}", style)


class Diagnosis(Told, Spec, frozen=True, kw_only=True):
    """What `doctor` finds."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing that is needed is wrong."""
        return not any(each.is_needed and each.state != "ok" for each in self.checks)

    def tell(self, page: Page) -> None:
        """A line each."""
        for each in self.checks:
            each.tell(page)
        wrong = [each.name for each in self.checks if each.is_needed and each.state != "ok"]
        if wrong:
            page.line(f"Needed by every command, and wrong: {', '.join(wrong)}.", "bad")
        else:
            page.line("All that every command needs is right.", "good")


def doctor(*, adb: StrPath | None = None, progress: Progress | None = None) -> Diagnosis:
    """Look at Python, its packages, the native libraries, the cache, and what phones and apps need.

    Args:
        adb: The program, where it is not on PATH or in an Android SDK.
    """
    with listener(progress).stage("Looking"):
        pins = _pins()
        checks = (_python(), *_packages(pins), *_natives(pins[""]), _cache())
        checks += (*_for_apps(), _runner(), *_for_phones(adb))
    return Diagnosis(checks=checks)


def _python() -> Check:
    found = sys.version.split()[0]
    right = _OLDEST <= sys.version_info[:2] <= _NEWEST
    return Check(
        name="Python",
        state="ok" if right else "wrong",
        is_needed=True,
        told=f"{found} at {sys.executable}, {platform.system()} {platform.machine()}",
        remedy="" if right else "uv tool install . --python 3.12, or make setup",
    )


def _pins() -> dict[str, dict[str, str]]:
    """Versions that belong together, by the extra that wants them; "" wants them always."""
    pins: dict[str, dict[str, str]] = {"": {}}
    wanted = requires("mobileq") if _version("mobileq") else None
    for requirement in wanted or ():
        match = _REQUIREMENT.fullmatch(requirement)
        if match:
            pins.setdefault(match[3] or "", {})[match[1]] = match[2]
    return pins


def _packages(pins: dict[str, dict[str, str]]) -> Iterator[Check]:
    """As pinned: what is needed, and what is optional where it is there."""
    if not pins[""]:
        yield Check(
            name="packages",
            state="wrong",
            is_needed=True,
            told="mobileq is not installed, so versions that belong together are not known.",
            remedy=shlex.join([sys.executable, "-m", "pip", "install", "FOLDER_OF_MOBILEQ"]),
        )
        return
    yield _pinned("packages", pins[""], is_needed=True)
    tensorflow = pins.get("tensorflow", {})
    if any(_version(name) for name in tensorflow):
        yield _pinned("TensorFlow engine", tensorflow, is_needed=False)
    else:
        yield Check(
            name="TensorFlow engine",
            state="absent",
            is_needed=False,
            told="not installed; a second opinion where onnx2tf's direct engine fails.",
            remedy=_install(tensorflow),
        )


def _pinned(name: str, pins: dict[str, str], is_needed: bool) -> Check:
    others = {each: _version(each) for each, pin in pins.items() if _version(each) != pin}
    told = ", ".join(
        f"{each} is {found}, not {pins[each]}" if found else f"{each} {pins[each]} is missing"
        for each, found in others.items()
    )
    return Check(
        name=name,
        state="wrong" if others else "ok",
        is_needed=is_needed,
        told=f"{told}." if told else f"{len(pins)} as pinned",
        remedy=_install({each: pins[each] for each in others}) if others else "",
    )


def _install(pins: dict[str, str]) -> str:
    wanted = (f"{name}=={pin}" for name, pin in pins.items())
    return shlex.join([sys.executable, "-m", "pip", "install", *wanted])


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _natives(pins: dict[str, str]) -> Iterator[Check]:
    """Each imported in a process of its own: one may abort."""
    for each in _NATIVES:
        problem = _import_problem(each.module)
        yield Check(
            name=each.title,
            state="wrong" if problem else "ok",
            is_needed=True,
            told=problem or f"{each.package} {_version(each.package)} loads",
            remedy=_native_remedy(each.package, pins, problem) if problem else "",
        )


def _import_problem(module: str) -> str:
    # -P: a folder named like it in the current folder is not it.
    command = [sys.executable, "-P", "-c", f"import {module}"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_IMPORT_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return f"import {module} does not end within {_IMPORT_LIMIT_S:g} s."
    if done.returncode < 0:
        return f"import {module} ended with {signal.Signals(-done.returncode).name}."
    if done.returncode:
        said = done.stderr.decode(errors="backslashreplace").strip().splitlines()
        return f"{said[-1] if said else f'import {module} failed'}."
    return ""


def _native_remedy(package: str, pins: dict[str, str], problem: str) -> str:
    if any(each in problem for each in ("libGL", "libgthread", "libglib")):
        return "apt install libgl1 libglib2.0-0"
    if "SIGILL" in problem:
        return "another computer: this processor lacks instructions that the package is built for"
    again = _install({package: pins[package]} if package in pins else {})
    return again.replace(" install ", " install --force-reinstall --no-deps ")


def _cache() -> Check:
    try:
        cache = ResultCache()
        folder, limit = cache.folder, cache.max_bytes
        cache.close()
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise MobileqError(
                f"No cache can be in {folder}: it cannot be written.",
                "export MOBILEQ_CACHE_DIR=FOLDER, one that you may write to",
            )
    except MobileqError as error:
        return Check(
            name="cache", state="wrong", is_needed=True, told=error.message, remedy=error.hint
        )
    used = sum(each.stat().st_size for each in cache.folder.rglob("*") if each.is_file())
    told = f"{megabytes(used)} of {megabytes(limit)} in {cache.folder}, log in {log_path().parent}"
    return Check(name="cache", state="ok", is_needed=True, told=told)


def _for_apps() -> Iterator[Check]:
    yield _tool("Java", find_java())
    yield _tool("Android SDK", find_sdk())
    yield _tool("Gradle", find_gradle())


def _tool(name: str, tool: Tool) -> Check:
    if tool.serves:
        return Check(name=name, state="ok", is_needed=False, told=tool.told)
    return Check(
        name=name,
        state="wrong" if tool.path else "absent",
        is_needed=False,
        told=f"{tool.told}; `mobileq install APP` builds with it.",
        remedy=tool.remedy,
    )


def _runner() -> Check:
    try:
        kit = find_kit()
    except MobileqError as error:
        return _without("runner", f"{error.message} For measuring on phones.", error.hint)
    told = f"for {', '.join(kit.abis)} in {kit.folder}"
    return Check(name="runner", state="ok", is_needed=False, told=told)


def _for_phones(named: StrPath | None) -> Iterator[Check]:
    try:
        adb = find_adb(named)
    except MobileqError as error:
        yield _without("adb", f"{error.message} For phones only.", error.hint)
        return
    try:
        said = adb.run("version").text.split()
        phones = listed(adb)
    except MobileqError as error:
        yield _without("adb", error.message, error.hint, "wrong")
        return
    release = said[said.index("Version") + 1] if "Version" in said[:-1] else "of unknown version"
    yield Check(name="adb", state="ok", is_needed=False, told=f"{release} at {adb.path}")
    if not phones:
        yield _without("phone", "none is connected.", NO_PHONE)
    for each in phones:
        if each.is_ready:
            yield Check(name="phone", state="ok", is_needed=False, told=each.shown)
        else:
            yield _without("phone", f"{each.serial} is {each.state}.", each.remedy, "wrong")


def _without(
    name: str, told: str, remedy: str, state: Literal["absent", "wrong"] = "absent"
) -> Check:
    return Check(name=name, state=state, is_needed=False, told=told, remedy=remedy)
