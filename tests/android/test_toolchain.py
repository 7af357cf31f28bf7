"""What a project is built with: found, too old, not whole, not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobileq.android import toolchain
from mobileq.android.toolchain import BUILD_TOOLS, find_gradle, find_java, find_sdk
from tests.android.bundles import write_bundle

GRADLE = """
------------------------------------------------------------
Gradle {}
------------------------------------------------------------

Build time:    2026-07-01 09:31:05 UTC
Launcher JVM:  17.0.15 (Debian 17.0.15+6-Debian-1deb12u1)
"""


def program(path: Path, says: str = "", code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n/bin/cat >&2 <<'END'\n{says}\nEND\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer on which there is nothing."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(toolchain, "_SDK_FOLDERS", ())
    for name in ("JAVA_HOME", "ANDROID_HOME", "ANDROID_SDK_ROOT"):
        monkeypatch.delenv(name, raising=False)


def test_what_is_not_there_says_what_to_install() -> None:
    for found, words in (
        (find_java(), "openjdk-17"),
        (find_gradle(), "Gradle 9.6"),
        (find_sdk(), 'sdkmanager "platform-tools" "platforms;android-37.0" "build-tools;36.0.0"'),
    ):
        assert (found.path, found.serves) == (None, False)
        assert words in found.remedy


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', ""),
        ('java version "21" 2023-09-19 LTS', ""),
        ('openjdk version "1.8.0_392"', "8.0_392 at"),
        ('openjdk version "11.0.2" 2019-01-15', "17 or later is needed"),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", "Unable to loc"),
    ],
)
def test_java_by_its_version(tmp_path: Path, says: str, told: str) -> None:
    program(tmp_path / "bin" / "java", says)
    program(tmp_path / "bin" / "javac")
    found = find_java()
    assert found.serves == (told == "")
    assert told in found.told


def test_a_java_without_a_compiler_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "jre" / "bin" / "java", 'openjdk version "17.0.15"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jre"))
    assert "no JDK" in find_java().told
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "none"))
    assert "not in JAVA_HOME" in find_java().told


@pytest.mark.parametrize(
    ("release", "serves"), [("9.6.0", True), ("10.1", True), ("9.5.2", False), ("8.14", False)]
)
def test_gradle_by_its_version(tmp_path: Path, release: str, serves: bool) -> None:
    program(tmp_path / "bin" / "gradle", GRADLE.format(release))
    assert find_gradle().serves == serves
    assert find_gradle().told.startswith(f"{release} at ")


def test_a_wrapper_comes_before_a_gradle_that_is_too_old(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "gradle", GRADLE.format("4.4.1"))
    wrapper = program(tmp_path / "app" / "gradlew")
    assert find_gradle(tmp_path / "app").path == wrapper
    wrapper.chmod(0o644)
    assert not find_gradle(tmp_path / "app").serves


def test_gradle_that_does_not_run_says_why(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "gradle", "ERROR: JAVA_HOME is set to an invalid directory: /x", 1)
    assert "JAVA_HOME is set to an invalid directory" in find_gradle().told


def test_an_sdk_is_whole_or_may_fetch_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sdk = tmp_path / "sdk"
    sdk.mkdir()
    monkeypatch.setenv("ANDROID_HOME", str(sdk))
    assert "lacks platforms;android-37.0 and build-tools;36.0.0" in find_sdk().told
    manager = program(sdk / "cmdline-tools" / "latest" / "bin" / "sdkmanager")
    assert find_sdk().remedy.startswith(f"{manager} ")
    (sdk / "platforms" / "android-37.0").mkdir(parents=True)
    (sdk / "build-tools" / "36.0.0").mkdir(parents=True)
    assert find_sdk().serves
    licensed = tmp_path / "of the project"
    (licensed / "licenses").mkdir(parents=True)
    (licensed / "licenses" / "android-sdk-license").write_text("24333f8a63b6825ea9c5514f83c2829b")
    (tmp_path / "local.properties").write_text(f"# Studio's\nsdk.dir={licensed}\n")
    assert find_sdk(tmp_path).path == licensed


def test_what_is_asked_for_is_what_projects_are_rendered_with(tmp_path: Path) -> None:
    from mobileq.android.options import AndroidOptions
    from mobileq.android.project import render_project

    options = AndroidOptions(application_id="a.b", name="A", runtimes=("tflite",))
    app = render_project(write_bundle(tmp_path / "birds"), tmp_path / "app", options).path
    assert f"buildToolsVersion = '{BUILD_TOOLS}'" in (app / "app" / "build.gradle").read_text()
    wrapper = (app / "gradle" / "wrapper" / "gradle-wrapper.properties").read_text()
    assert f"gradle-{'.'.join(map(str, toolchain.GRADLE))}." in wrapper
    assert f"VERSION_{toolchain.JDK}" in (app / "app" / "build.gradle").read_text()
