"""An app onto a phone: installed, allowed to use the camera, started, and looked at."""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import dataclass

from mobileq.android.apk import Apk
from mobileq.device.adb import Answer, DisconnectedError
from mobileq.device.phone import Phone, quoted
from mobileq.errors import DeviceError
from mobileq.hashing import file_digest

CAMERA = "android.permission.CAMERA"
_LIMIT_S = 600.0
"""Large models are in the APK, and some phones have every app scanned."""
_FAILURE = re.compile(r"Failure \[(\w+)(?::\s*(.*?))?\]\s*$", re.MULTILINE)
_EXCEPTION = re.compile(r"(?:^|: )((?:[\w$]+\.)+[\w$]*(?:Exception|Error)\b.*)$", re.MULTILINE)
_SETTLED_S = 2.0
"""After which an app that can't start has ended."""


@dataclass(frozen=True)
class _Cause:
    """Why adb's package manager refuses; in texts, {id}, {abis}, {adb} are filled in."""

    told: str
    remedy: str


_UNINSTALL = "Remove that one, with its settings: {adb} uninstall {id}"
_SIGNED = _Cause("an app of that id, signed with another key, is on it", _UNINSTALL)
_DAMAGED = _Cause("it takes the file for no APK, or for a damaged one", "Build the APK again.")
_DECLINED = _Cause(
    "its settings forbid it, or somebody declined on its screen",
    "Unlock it, allow installing over USB in the developer options (Xiaomi: Install via USB), and "
    "say yes when it asks.",
)
_LOG = "See what the phone says: {adb} logcat -d -s PackageManager"
_CAUSES = {
    "INSTALL_FAILED_UPDATE_INCOMPATIBLE": _SIGNED,
    "INSTALL_FAILED_SHARED_USER_INCOMPATIBLE": _SIGNED,
    "INSTALL_PARSE_FAILED_INCONSISTENT_CERTIFICATES": _SIGNED,
    "INSTALL_FAILED_VERSION_DOWNGRADE": _Cause("a newer version of the app is on it", _UNINSTALL),
    "INSTALL_FAILED_INSUFFICIENT_STORAGE": _Cause(
        "it has too little space",
        "Free some; {adb} shell df -h /data shows how much there is.",
    ),
    "INSTALL_FAILED_NO_MATCHING_ABIS": _Cause(
        "it has another processor than the app's libraries are for ({abis})",
        "`mobileq devices` shows which; render the project with it: mobileq android BUNDLE -o APP "
        "--abi ABI",
    ),
    "INSTALL_FAILED_OLDER_SDK": _Cause(
        "its Android is too old for the app",
        "`mobileq devices` shows which it has; mobileq android BUNDLE -o APP --min-sdk 24 takes "
        "the most.",
    ),
    "INSTALL_FAILED_DEPRECATED_SDK_VERSION": _Cause(
        "the app is made for an Android that is too old for it",
        "Render the project anew: mobileq android BUNDLE -o APP",
    ),
    "INSTALL_FAILED_USER_RESTRICTED": _DECLINED,
    "INSTALL_FAILED_ABORTED": _DECLINED,
    "INSTALL_FAILED_VERIFICATION_FAILURE": _Cause(
        "its scanner of apps (Play Protect) refused",
        "Allow it on the screen, or leave out the scan over USB: {adb} shell settings put global "
        "verifier_verify_adb_installs 0",
    ),
    "INSTALL_FAILED_CONFLICTING_PROVIDER": _Cause(
        "another app has the same id in part",
        "Choose another id: mobileq android BUNDLE -o APP --application-id COM.EXAMPLE.APP",
    ),
    "INSTALL_PARSE_FAILED_NO_CERTIFICATES": _Cause(
        "the APK is not signed",
        "Build the debug variant, or sign it: apksigner sign --ks KEYS FILE.apk",
    ),
    "INSTALL_PARSE_FAILED_NOT_APK": _DAMAGED,
    "INSTALL_PARSE_FAILED_UNEXPECTED_EXCEPTION": _DAMAGED,
    "INSTALL_FAILED_INVALID_APK": _DAMAGED,
}


def install_apk(phone: Phone, apk: Apk) -> None:
    """Install it, or a new version of it, with all that it asks for allowed.

    Raises:
        DeviceError: The phone refuses; the message says why, the hint what to do.
    """
    answer = phone.adb.run("install", "-r", "-t", "-g", str(apk.path), limit_s=_LIMIT_S)
    if answer.code == 0 and "Success" in answer.text:
        return
    said = answer.text + answer.err.decode(errors="backslashreplace")
    match = _FAILURE.search(said)
    if match is None and re.search(r"failed to install [^\n]*:\s*\Z", said):
        # What adb 29 says where the cable is pulled out: no reason.
        raise DisconnectedError(
            f"The connection to {phone.serial} broke while {apk.application_id} was installed.",
            "Plug it in again, and repeat.",
        )
    if match is None:
        raise phone.adb.failure(answer)
    code, detail = match[1], match[2] or ""
    cause = _CAUSES.get(code, _Cause(detail or "it does not say why", _LOG))
    words = {
        "id": apk.application_id,
        "abis": ", ".join(apk.abis) or "none",
        "adb": shlex.join(phone.adb.command()),
    }
    raise DeviceError(
        f"{phone.serial} does not install {apk.application_id}: "
        f"{cause.told.format(**words) if code in _CAUSES else cause.told} ({code}).",
        cause.remedy.format(**words),
    )


def is_installed(phone: Phone, apk: Apk) -> bool:
    """Whether this very file is installed; False where a phone does not tell."""
    package = quoted(apk.application_id)
    found = phone.shell(
        f'path=$(pm path {package}) && sha256sum "$(echo "${{path#package:}}" | head -n 1)"'
    )
    return found.code == 0 and found.text.split(" ")[0] == file_digest(apk.path)


def allow_camera(phone: Phone, application_id: str) -> bool:
    """Whether the app may use the camera: some phones do not let adb say so."""
    package = quoted(application_id)
    return phone.shell(f"pm grant {package} {CAMERA}").code == 0


def start(phone: Phone, application_id: str) -> str:
    """Start the app's first screen; its activity.

    Raises:
        DeviceError: It has none, does not start, or ends at once; the message has its exception.
    """
    package = quoted(application_id)
    found = phone.shell(
        "cmd package resolve-activity --brief -a android.intent.action.MAIN "
        f"-c android.intent.category.LAUNCHER {package}"
    )
    activity = (found.text.strip().splitlines() or [""])[-1].strip()
    if not activity.startswith(f"{application_id}/"):
        raise DeviceError(
            f"{application_id} has no screen to start.",
            "Give an app with a launcher, such as those of `mobileq android`.",
        )
    started = phone.shell(f"am start -W -n {quoted(activity)}", limit_s=60)
    error = re.search(r"^Error.*$", started.text + _err(started), re.MULTILINE)
    if started.code != 0 or error:
        told = error[0].strip() if error else started.reason
        raise DeviceError(f"{application_id} does not start: {told}.", "Unlock the phone.")
    time.sleep(_SETTLED_S)
    if phone.shell(f"pidof {package}").code != 0:
        crash = phone.shell("logcat -b crash -d").text
        exception = _EXCEPTION.search(crash.rpartition(f"Process: {application_id},")[2])
        raise DeviceError(
            f"{application_id} ended as it started"
            f"{f': {exception[1].strip()}' if exception else ''}.",
            f"All of it: {shlex.join(phone.adb.command())} logcat -b crash -d",
        )
    return activity


def _err(answer: Answer) -> str:
    return f"\n{answer.err.decode(errors='backslashreplace')}"
