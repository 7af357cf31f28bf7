"""The runner on a phone: brought there, and how it is started."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mobileq.android.apk import read_apk
from mobileq.android.native_libraries import elf_problem
from mobileq.android.runtimes import RUNTIMES
from mobileq.device.facts import TEMPORARY, DeviceFacts, read_facts
from mobileq.device.files import LocalFile, RemoteFolder
from mobileq.device.install import install_apk, is_installed
from mobileq.device.libraries import same_abi
from mobileq.device.phone import Phone, quoted
from mobileq.device.runner.apk import INSTRUMENTATION
from mobileq.device.runner.kit import JAR, Kit
from mobileq.device.runner.remote import RunnerPlace
from mobileq.errors import DeviceError, UsageError
from mobileq.progress import Progress

FOLDER = f"{TEMPORARY}/mobileq-runner"
_AS_APP = "Where it refuses app_process, an app may run: mobileq runner build --apk. "
_MAIN = "mobileq.runner.Main"
_WIDE = ("arm64-v8a", "x86_64", "riscv64")
_LARGE_PAGE = 0x4000


def place_on(
    phone: Phone,
    kit: Kit,
    bundle: str,
    progress: Progress,
    libraries: Mapping[str, Path] | None = None,
) -> RunnerPlace:
    """Bring the runner onto a phone, where it differs.

    Args:
        bundle: The bundle's folder there.
        libraries: By target, the folder of a runtime's native libraries that the person has.

    Raises:
        UsageError: One of them is of another ABI, or lacks a library.
        DeviceError: There is no library for its processor or its pages, it has no room, or goes
            away.
    """
    facts, _ = read_facts(phone)
    name = f"{facts.model or 'phone'} ({phone.serial})"
    abi = _abi(kit, facts, name)
    folder = RemoteFolder(phone, FOLDER, progress)
    files = [LocalFile.of(kit.jar, JAR)]
    own = [
        path
        for target, given in (libraries or {}).items()
        for path in _of_runtime(target, given, abi)
    ]
    for path in (*kit.libraries(abi), *own):
        problem = elf_problem(path.read_bytes(), abi) if abi in _WIDE else None
        if problem and (facts.page_bytes or 0) >= _LARGE_PAGE:
            raise DeviceError(
                f"{path.name} {problem}, and {name} has pages of {_LARGE_PAGE // 1024} kB.",
                "Take one that was built for such pages; of TensorFlow Lite, make the runner again "
                "with LiteRT 1.4 or later: mobileq runner build --aar ...",
            )
        files.append(LocalFile.of(path, f"{abi}/{path.name}"))
    folder.bring(files, f"Sending the runner to {phone.serial}")
    place = RunnerPlace(
        name=name,
        command=tuple(phone.adb.command("shell", "-T", _script(facts, abi, bundle, bool(own)))),
        is_back=phone.is_back,
        log=lambda pid: phone.shell(f"logcat -d --pid={pid}").text,
    )
    if own:  # an app may load no library from where these are
        return place
    if not kit.apk.is_file():
        return replace(place, remedy=_AS_APP)
    return replace(place, otherwise=lambda: _as_app(phone, kit.apk, bundle, place))


def _as_app(phone: Phone, path: Path, bundle: str, place: RunnerPlace) -> RunnerPlace:
    """The same, installed: `am instrument` starts it."""
    apk = read_apk(path)
    if not is_installed(phone, apk):
        # Its key is another each time that it is made, and it keeps nothing.
        phone.shell(f"pm uninstall {apk.application_id}")
        install_apk(phone, apk)
    bridge = (sys.executable, "-P", "-m", "mobileq.device.runner.bridge")
    command = (*bridge, bundle, INSTRUMENTATION, *phone.adb.command())
    return replace(place, command=command, otherwise=None)


def _of_runtime(target: str, folder: Path, abi: str) -> list[Path]:
    """All libraries of the folder: plug-ins for a GPU are found by their names."""
    runtime = RUNTIMES[target]
    found = same_abi(folder, abi, ("*.so",), named=True)
    names = {path.name for path in found}
    needed = runtime.native.needed if runtime.native else ()
    if missing := [name for name in needed if name not in names]:
        raise UsageError(
            f"{runtime.title} needs {', '.join(missing)} beside {', '.join(sorted(names))}.",
            f"Take them from {runtime.title}'s release for Android, or build them with its JNI.",
        )
    return found


def _abi(kit: Kit, facts: DeviceFacts, name: str) -> str:
    for abi in facts.abis:
        if abi in kit.abis:
            return abi
    raise DeviceError(
        f"The runner has no library for {name}: it takes {', '.join(facts.abis)}, and there are "
        f"{', '.join(kit.abis)}.",
        "Make the runner again with an .aar that has one: mobileq runner build --aar ...",
    )


def _script(facts: DeviceFacts, abi: str, bundle: str, has_own: bool) -> str:
    """What starts it. A phone of 64 bits has a program for libraries of 32, too."""
    is_narrow = abi not in _WIDE and any(each in _WIDE for each in facts.abis)
    program = "app_process32" if is_narrow else "app_process"
    jar, libraries = quoted(f"{FOLDER}/{JAR}"), quoted(f"{FOLDER}/{abi}")
    properties = f"-Djava.library.path={libraries}"
    # What a library is linked with is looked for where LD_LIBRARY_PATH says.
    linked = f"LD_LIBRARY_PATH={libraries} " if has_own else ""
    return f"{linked}CLASSPATH={jar} exec {program} {properties} / {_MAIN} {quoted(bundle)}"
