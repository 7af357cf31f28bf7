"""The runner on a desktop: compiled, and with TFLite's desktop build in place of Android's."""

from __future__ import annotations

from pathlib import Path

from mobileq.device.runner.build import java_files
from mobileq.device.runner.remote import RunnerPlace
from tests.android import jvm

SOURCES = jvm.ROOT / "android_runner/src/main/java"
_DESKTOP = jvm.ROOT / "tests/android/desktop"


def compile_runner(output: Path) -> str:
    """ "" or what javac said."""
    # The libraries' annotations are not all there, which says nothing of our code.
    lint = "-Xlint:all,-classfile,-path,-options,-processing"
    return jvm.javac(output, java_files(), jvm.libraries("android", "tflite"), lint)


def compile_desktop(output: Path) -> str:
    """TFLite's interpreter over a desktop build; "" or what javac said."""
    classes = jvm.libraries("desktop-tflite", "tflite")
    return jvm.javac(output, jvm.sources(_DESKTOP), classes, "-Xlint:none")


def java_command(runner: Path, desktop: Path) -> tuple[str, ...]:
    """What starts it."""
    classes = [desktop, runner, *jvm.libraries("desktop-tflite", "tflite")]
    return (
        *(jvm.tool("java"), *jvm.SHORT_LIVED, "-Xms512m", "-Xmx512m", "-Xmn200m"),
        *("-cp", jvm.class_path(classes), "mobileq.runner.Main"),
    )


def place_of(command: tuple[str, ...], bundle: Path) -> RunnerPlace:
    """A runner beside us."""
    return RunnerPlace(name="this Java", command=(*command, str(bundle)))
