"""What the Android tests share: compiled once per session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.android import jvm
from tests.android.bundles import write_bundle
from tests.android.golden_cases import write_cases
from tests.android.rendered import compile_stubs

HERE = Path(__file__).parent
JAVA_TESTS = HERE / "java"


@pytest.fixture(scope="session")
def core_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pure Java core, compiled."""
    output = tmp_path_factory.mktemp("core")
    problems = jvm.javac(output, jvm.sources(jvm.CORE))
    assert not problems, problems
    return output


@pytest.fixture(scope="session")
def core_tests(core_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core's tests, compiled."""
    output = tmp_path_factory.mktemp("core-tests")
    classes = [core_classes, *jvm.libraries("junit")]
    problems = jvm.javac(output, jvm.sources(JAVA_TESTS), classes)
    assert not problems, problems
    return output


@pytest.fixture(scope="session")
def golden_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Golden cases of every head family."""
    folder = tmp_path_factory.mktemp("golden")
    assert write_cases(folder) > 200
    return folder


@pytest.fixture(scope="session")
def camera_stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stubs of CameraX, compiled."""
    output = tmp_path_factory.mktemp("stubs")
    compile_stubs(output)
    return output


@pytest.fixture(scope="session")
def desktop_runtimes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TFLite's interpreter over a desktop build, and MNN's functions over its Python package."""
    output = tmp_path_factory.mktemp("desktop")
    classes = jvm.libraries("desktop-tflite", "tflite")
    said = jvm.javac(output, jvm.sources(HERE / "desktop"), classes, "-Xlint:none")
    assert not said, said
    return output


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle with a file for each runtime."""
    return write_bundle(tmp_path_factory.mktemp("bundle") / "birds", ("tflite", "mnn"))
