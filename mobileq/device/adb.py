"""The person's own `adb`: found, called with a time limit, and its failures in sentences."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field

from mobileq.android.toolchain import sdk_folders
from mobileq.errors import DeviceError, MissingDependencyError, UsageError
from mobileq.paths import StrPath

LIMIT_S = 30.0
"""What an answer of a phone's may take where nothing long is asked for."""
REMEDIES = {
    "unauthorized": "Unlock the phone and allow USB debugging for this computer; where it does not "
    "ask, revoke its USB debugging authorisations in the developer options and plug it in again.",
    "offline": "Plug it in again and unlock it, or run: adb reconnect offline",
    "authorizing": "Wait a moment and try again.",
    "connecting": "Wait a moment and try again.",
    "no permissions": "This user may not open the phone's USB device: on Debian and Ubuntu install "
    "android-sdk-platform-tools-common and join the group plugdev; then plug it in again.",
    "bootloader": "It is in its boot loader: fastboot reboot",
    "recovery": "It is in recovery: adb reboot",
    "sideload": "It waits for a system update: adb reboot",
    "rescue": "It is in rescue mode: adb reboot",
}
"""What to do about a phone that adb lists in a state other than `device`."""
NO_PHONE = (
    "Plug one in with USB debugging on (Settings, About phone: tap the build number seven times; "
    "then System, Developer options), or run: adb connect HOST:PORT"
)
RESTART = "Run `adb kill-server`, and try again."
_GONE = re.compile(r"device '.*' not found|no devices/emulators found|error: closed")
_KILLED = "Plug it in again, or restart adb: adb kill-server"


class DisconnectedError(DeviceError):
    """The phone went away while it was spoken to."""


class OverdueError(DeviceError):
    """There was no answer in time; `out` is what came of it."""

    def __init__(self, message: str, hint: str, out: bytes = b"") -> None:
        super().__init__(message, hint)
        self.out = out


@dataclass(frozen=True)
class Answer:
    """What a program gave. `out` and `err` are bytes: what a phone says need not be UTF-8."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """`out`, with what is no UTF-8 escaped."""
        return as_text(self.out)

    @property
    def reason(self) -> str:
        """What went wrong, in the last line of what it said."""
        said = (as_text(self.err).strip() or self.text.strip()).splitlines()
        return said[-1].strip() if said else f"exit code {self.code}"


def as_text(data: bytes) -> str:
    """Bytes of a phone's as text, without its carriage returns."""
    return data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")


def find_adb(named: StrPath | None = None) -> Adb:
    """`adb`: the one that is named, that on PATH, or that of an Android SDK.

    Raises:
        UsageError: The one that is named is no program.
        MissingDependencyError: There is none.
    """
    if named is not None:
        found = shutil.which(os.fspath(named))
        if found is None:
            raise UsageError(f"--adb {named} is no program.", "Give the path of adb itself.")
        return Adb(found)
    found = shutil.which("adb")
    for sdk in sdk_folders():
        found = found or shutil.which(sdk / "platform-tools" / "adb")
    if found is None:
        raise MissingDependencyError(
            "There is no adb on PATH or in an Android SDK (ANDROID_HOME).",
            "Install it: `apt install adb`, `brew install android-platform-tools`, or the SDK's "
            "platform-tools; or name it with --adb PATH.",
        )
    return Adb(found)


@dataclass(frozen=True)
class Adb:
    """The program. Its server is the one that ADB_SERVER_SOCKET, ANDROID_ADB_SERVER_ADDRESS and
    ANDROID_ADB_SERVER_PORT say, as always."""

    path: str
    serial: str | None = None
    """The phone that commands are for."""
    limit_s: float = field(default=LIMIT_S, kw_only=True)

    def command(self, *arguments: str) -> list[str]:
        """A command line of it."""
        chosen = () if self.serial is None else ("-s", self.serial)
        return [self.path, *chosen, *arguments]

    def run(self, *arguments: str, limit_s: float | None = None) -> Answer:
        """Run a command to its end.

        Raises:
            OverdueError: It takes longer than `limit_s`.
            UsageError: The program can't be started.
        """
        limit_s = self.limit_s if limit_s is None else limit_s
        try:
            done = subprocess.run(
                self.command(*arguments),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=limit_s,
            )
        except subprocess.TimeoutExpired as error:
            raise self.overdue(arguments[0], limit_s, error.stdout or b"") from error
        except OSError as error:
            raise self.unusable(error) from error
        return Answer(done.returncode, done.stdout, done.stderr)

    def overdue(self, what: str, limit_s: float, out: bytes = b"") -> OverdueError:
        """That an answer did not come in time."""
        who = "adb" if self.serial is None else f"The device {self.serial}"
        hint = RESTART if self.serial is None else f"Unlock the phone. {_KILLED}"
        return OverdueError(f"{who} gave no answer to `{what}` within {limit_s:g} s.", hint, out)

    def unusable(self, error: OSError) -> UsageError:
        """That the program can't be started."""
        reason = error.strerror or error
        return UsageError(f"{self.path} cannot be run: {reason}.", "Give another one with --adb.")

    def failure(self, answer: Answer) -> DeviceError:
        """What adb itself, not the phone, says of a failed command."""
        said = as_text(answer.err)
        who = "The device" if self.serial is None else f"The device {self.serial}"
        for state in ("unauthorized", "offline"):
            if f"device {state}" in said:
                return DisconnectedError(f"{who} is {state}.", REMEDIES[state])
        if _GONE.search(said):
            return DisconnectedError(f"{who} is gone.", _KILLED)
        if any(each in said for each in ("daemon", "cannot connect to", "server version")):
            return DeviceError(
                f"adb's server cannot be reached: {answer.reason}",
                f"{RESTART} It is looked for where ADB_SERVER_SOCKET, ANDROID_ADB_SERVER_ADDRESS "
                "and ANDROID_ADB_SERVER_PORT say.",
            )
        return DeviceError(f"adb failed: {answer.reason}", RESTART)
