"""What a rendered project is built with, found on this computer: a JDK, an Android SDK, Gradle."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobileq.android.options import COMPILE_SDK

JDK = 17
GRADLE = (9, 6)
"""What the Android Gradle plugin 9.4 asks for."""
BUILD_TOOLS = "36.0.0"
"""The same plugin's own."""
PLATFORM = f"android-{COMPILE_SDK}.0"
"""Since Android 17 platforms are published with the number of their minor release."""
_SDK_VARIABLES = ("ANDROID_HOME", "ANDROID_SDK_ROOT")
_SDK_FOLDERS = ("~/Android/Sdk", "~/Library/Android/sdk", "/usr/lib/android-sdk")
"""Where Android Studio puts the SDK on Linux and on macOS, and where Debian does."""
_PACKAGES = f'"platform-tools" "platforms;{PLATFORM}" "build-tools;{BUILD_TOOLS}"'
_COMMAND_LINE_TOOLS = "https://developer.android.com/studio#command-line-tools-only"
_LIMIT_S = 60.0


@dataclass(frozen=True)
class Tool:
    """A tool that was looked for.

    Attributes:
        path: None where it is not there.
        told: Its version and place, or what is wrong, as the end of a sentence.
        remedy: What to do about it; empty where it does.
    """

    path: Path | None
    told: str
    remedy: str = ""

    @property
    def serves(self) -> bool:
        """Whether it is there and new enough."""
        return self.path is not None and not self.remedy


def sdk_folders() -> Iterator[Path]:
    """Where an Android SDK is said to be or usually is, and is one."""
    named = [os.environ.get(variable, "") for variable in _SDK_VARIABLES]
    for each in dict.fromkeys((*named, *map(os.path.expanduser, _SDK_FOLDERS))):
        if each and Path(each).is_dir():
            yield Path(each)


def find_sdk(project: Path | None = None) -> Tool:
    """An Android SDK with what the project is compiled against, or that may fetch it: that of the
    project's local.properties, of ANDROID_HOME, or where Android Studio puts it."""
    incomplete = None
    for folder in (*_sdk_of(project), *sdk_folders()):
        lacks = _lacks(folder)
        if not lacks:
            return Tool(folder, str(folder))
        incomplete = incomplete or Tool(
            folder, f"{folder} lacks {' and '.join(lacks)}", _sdk_remedy(folder)
        )
    return incomplete or Tool(None, "not found (ANDROID_HOME)", _sdk_remedy(None))


def find_java() -> Tool:
    """A JDK: that of JAVA_HOME, else that on PATH."""
    remedy = "apt install openjdk-17-jdk-headless, or brew install openjdk@17"
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(Path(home) / "bin" / "java") if home else shutil.which("java")
    if found is None:
        where = f"not in JAVA_HOME ({home})" if home else "not on PATH"
        return Tool(None, where, remedy)
    said = _said([found, "-version"])
    match = re.search(r'version "(?:1\.)?(\d+)([^"]*)"', said)
    if match is None:
        return Tool(Path(found), f"{found} does not run: {_last(said)}", remedy)
    told = f"{match[1]}{match[2]} at {found}"
    if int(match[1]) < JDK:
        return Tool(Path(found), f"{told}, and {JDK} or later is needed", remedy)
    if not Path(found).resolve().with_name("javac").exists():
        return Tool(Path(found), f"{told} has no javac: it is no JDK", remedy)
    return Tool(Path(found), told)


def find_gradle(project: Path | None = None) -> Tool:
    """The project's own wrapper, which fetches its Gradle, or the one on PATH."""
    wrapper = project / ("gradlew.bat" if os.name == "nt" else "gradlew") if project else None
    if wrapper and os.access(wrapper, os.X_OK):
        return Tool(wrapper.absolute(), f"the project's own, {wrapper}")
    wanted = ".".join(map(str, GRADLE))
    remedy = (
        f"Install Gradle {wanted} (brew install gradle, sdk install gradle, or "
        "https://gradle.org/install), or open the project in Android Studio"
    )
    found = shutil.which("gradle")
    if found is None:
        return Tool(None, "not on PATH", remedy)
    said = _said([found, "--version"])
    match = re.search(r"^Gradle (\d+)\.(\d+)\S*", said, re.MULTILINE)
    if match is None:
        return Tool(Path(found), f"{found} does not run: {_last(said)}", remedy)
    told = f"{match[0].removeprefix('Gradle ')} at {found}"
    if (int(match[1]), int(match[2])) < GRADLE:
        return Tool(Path(found), f"{told}, and {wanted} or later is needed", remedy)
    return Tool(Path(found), told)


def _sdk_of(project: Path | None) -> Iterator[Path]:
    """The SDK that Android Studio wrote into a project."""
    if project is None:
        return
    try:
        text = (project / "local.properties").read_text(errors="replace")
    except OSError:
        return
    match = re.search(r"^\s*sdk\.dir\s*=\s*(.+?)\s*$", text, re.MULTILINE)
    folder = Path(re.sub(r"\\(.)", r"\1", match[1])) if match else None
    if folder and folder.is_dir():
        yield folder


def _lacks(sdk: Path) -> list[str]:
    """What the Android Gradle plugin would not find, and may not fetch for want of a licence."""
    if (sdk / "licenses" / "android-sdk-license").is_file():
        return []
    parts = {
        f"platforms;{PLATFORM}": sdk / "platforms" / PLATFORM,
        f"build-tools;{BUILD_TOOLS}": sdk / "build-tools" / BUILD_TOOLS,
    }
    return [name for name, place in parts.items() if not place.is_dir()]


def _sdk_remedy(sdk: Path | None) -> str:
    manager = sdk / "cmdline-tools" / "latest" / "bin" / "sdkmanager" if sdk else None
    if manager and manager.exists():
        return f"{manager} {_PACKAGES}"
    return (
        "Install Android Studio, or its command line tools "
        f"({_COMMAND_LINE_TOOLS}), set ANDROID_HOME, then run: sdkmanager {_PACKAGES}"
    )


def _said(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stdout + done.stderr).decode(errors="backslashreplace")


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"
