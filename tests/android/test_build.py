"""Building a project, with a script in the place of Gradle: what it gets, what is made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mobileq.android import toolchain
from mobileq.android.build import build_apk
from mobileq.android.options import AndroidOptions
from mobileq.android.project import render_project
from mobileq.errors import InputError, MissingDependencyError, ToolError
from mobileq.progress import Silent
from tests.android.bundles import write_bundle
from tests.android.test_toolchain import program

FAILED = """
> Task :app:mergeDebugResources FAILED

FAILURE: Build failed with an exception.

* What went wrong:
Execution failed for task ':app:checkDebugAarMetadata'.
> Could not resolve com.google.ai.edge.litert:litert:1.4.2.

* Try:
> Run with --stacktrace option to get the stack trace.

BUILD FAILED in 3s
"""


@pytest.fixture(autouse=True)
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer with a JDK and an SDK, to whom only Gradle is to be said."""
    program(tmp_path / "bin" / "java", 'openjdk version "17.0.15" 2025-04-15')
    program(tmp_path / "bin" / "javac")
    (tmp_path / "sdk" / "licenses").mkdir(parents=True)
    (tmp_path / "sdk" / "licenses" / "android-sdk-license").touch()
    monkeypatch.setattr(toolchain, "_SDK_FOLDERS", (str(tmp_path / "sdk"),))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("MOBILEQ_LOG_DIR", str(tmp_path / "logs"))
    for name in ("JAVA_HOME", "ANDROID_HOME", "ANDROID_SDK_ROOT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    options = AndroidOptions(application_id="a.b", name="A", runtimes=("tflite",))
    return render_project(write_bundle(tmp_path / "birds"), tmp_path / "my app", options).path


def gradle(project: Path, script: str) -> None:
    path = project / "gradlew"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_apk_that_gradle_names_is_given(project: Path, tmp_path: Path) -> None:
    output = project / "app/build/outputs/apk/debug"
    output.mkdir(parents=True)
    (output / "output-metadata.json").write_text(
        json.dumps({"version": 3, "elements": [{"outputFile": "app-arm64-v8a-debug.apk"}]})
    )
    gradle(project, f'echo "$ANDROID_HOME|$*" > "{tmp_path}/called"')
    assert build_apk(project, Silent()) == output / "app-arm64-v8a-debug.apk"
    assert (tmp_path / "called").read_text() == (
        f"{tmp_path}/sdk|--console=plain -p {project} :app:assembleDebug\n"
    )


def test_the_reason_of_a_failure_is_found_among_what_gradle_says(project: Path) -> None:
    gradle(project, f"/bin/cat <<'END'\n{FAILED}\nEND\nexit 1")
    with pytest.raises(ToolError) as caught:
        build_apk(project, Silent())
    assert caught.value.message == (
        "Gradle failed: Execution failed for task ':app:checkDebugAarMetadata'. > Could not "
        "resolve com.google.ai.edge.litert:litert:1.4.2."
    )
    log = Path(caught.value.hint.removeprefix("Its output is in ").removesuffix("."))
    assert "BUILD FAILED in 3s" in log.read_text()
    gradle(project, "exit 1")
    with pytest.raises(ToolError, match="it said nothing"):
        build_apk(project, Silent())


def test_a_build_without_an_apk_is_an_error(project: Path) -> None:
    gradle(project, "exit 0")
    with pytest.raises(ToolError, match="built no APK"):
        build_apk(project, Silent())


def test_all_that_is_missing_is_named_at_once(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "_SDK_FOLDERS", ())
    (tmp_path / "bin" / "java").unlink()
    (project / "gradlew").unlink()
    with pytest.raises(MissingDependencyError) as caught:
        build_apk(project, Silent())
    for name in ("Java: not on PATH", "Android SDK: not found", "Gradle: not on PATH"):
        assert name in caught.value.message
    assert "sdkmanager" in caught.value.hint
    assert "mobileq install app-debug.apk" in caught.value.hint


def test_what_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no settings\.gradle"):
        build_apk(tmp_path, Silent())
