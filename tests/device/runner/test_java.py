"""The runner's Java, held against Android 7 and the app's habits."""

from __future__ import annotations

import re
from pathlib import Path

from tests.android import jvm
from tests.android.class_references import Library, missing_members
from tests.device.runner import java


def test_android_7_and_java_8_have_everything_that_is_called(runner_classes: Path):
    system = Library(jvm.libraries("android-24"), jvm.jdk())
    assert not missing_members(runner_classes, system)


def test_error_prone_finds_nothing(runner_classes: Path, tmp_path: Path):
    """In what is not the app's as well, which is looked through with it."""
    classes = [runner_classes, *jvm.libraries("android", "tflite")]
    assert jvm.error_prone(tmp_path, jvm.sources(java.SOURCES), classes) == ""


def test_it_is_plain_java():
    """What it needs of Android comes with the runtimes of the app, and with the one class that
    Android itself starts."""
    for path in set(java.SOURCES.rglob("*.java")) - set(java.SOURCES.rglob("Instrument.java")):
        imported = re.findall(r"^import (?:static )?([\w.]+);", path.read_text(), re.MULTILINE)
        foreign = [name for name in imported if not name.startswith(("java.", "mobileq.core."))]
        assert not foreign, path
