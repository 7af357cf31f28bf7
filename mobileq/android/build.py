"""Builds a rendered project with Gradle, where all that this takes is on the computer."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from mobileq.android.toolchain import find_gradle, find_java, find_sdk
from mobileq.errors import InputError, MissingDependencyError, ToolError
from mobileq.logfile import log_path
from mobileq.progress import Progress

_TASK = ":app:assembleDebug"
_OUTPUT = Path("app/build/outputs/apk/debug")
_WRONG = re.compile(r"^\* What went wrong:\n(.+?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)


def build_apk(project: Path, progress: Progress) -> Path:
    """Build the debug variant; the APK.

    Raises:
        InputError: The folder is no project.
        MissingDependencyError: A tool is missing or too old; the hint names each with its remedy.
        ToolError: Gradle failed.
    """
    if not (project / "settings.gradle").is_file():
        raise InputError(
            f"{project} is no Android project: it has no settings.gradle.",
            "Give the folder that `mobileq android` wrote, or an APK.",
        )
    gradle, sdk = find_gradle(project), find_sdk(project)
    tools = {"Java": find_java(), "Android SDK": sdk, "Gradle": gradle}
    missing = {name: tool for name, tool in tools.items() if not tool.serves}
    if missing:
        told = "; ".join(f"{name}: {tool.told}" for name, tool in missing.items())
        remedies = "; ".join(f"{name}: {tool.remedy}" for name, tool in missing.items())
        raise MissingDependencyError(
            f"The app cannot be built on this computer. {told}.",
            f"{remedies}. Or build it elsewhere and give the APK: mobileq install app-debug.apk",
        )
    command = [str(gradle.path), "--console=plain", "-p", str(project.absolute()), _TASK]
    with progress.stage(f"Building with Gradle ({_TASK})"):
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "ANDROID_HOME": str(sdk.path)},
            )
        except OSError as error:
            raise ToolError(f"{gradle.path} cannot be run: {error.strerror}.") from error
    said = done.stdout.decode(errors="backslashreplace")
    with log_path().open("a") as log:
        log.write(said)
    if done.returncode:
        raise ToolError(f"Gradle failed: {_reason(said)}", f"Its output is in {log_path()}.")
    return built_apk(project)


def built_apk(project: Path) -> Path:
    """As Gradle's own list of what it made says."""
    folder = project / _OUTPUT
    try:
        listed = json.loads((folder / "output-metadata.json").read_text())
        return folder / str(listed["elements"][0]["outputFile"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ToolError(
            f"Gradle built no APK in {folder}.", f"Its output is in {log_path()}."
        ) from error


def _reason(said: str) -> str:
    match = _WRONG.search(said)
    text = match[1] if match else (said.strip().splitlines() or ["it said nothing"])[-1]
    return f"{' '.join(text.split()).rstrip('.')}."
