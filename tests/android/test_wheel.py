"""The app's template inside an installed package, where there is no checkout beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.android import jvm
from tests.android.rendered import render
from tests.cli.commands import fingerprint

pytest.importorskip("hatchling", reason="hatchling is not installed (pip install hatchling)")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """By way of the source archive, as `python -m build` does it, but offline."""
    work = tmp_path_factory.mktemp("wheel")
    python(jvm.ROOT, "-m", "hatchling", "build", "-t", "sdist", "-d", work)
    (archive,) = work.glob("*.tar.gz")
    shutil.unpack_archive(archive, work / "source", filter="data")
    (source,) = (work / "source").iterdir()
    alone = ("--no-deps", "--no-index", "--disable-pip-version-check")
    python(work, "-m", "pip", "wheel", *alone, "--no-build-isolation", "-w", work, source)
    (wheel,) = work.glob("*.whl")
    python(work, "-m", "pip", "install", *alone, "--target", work / "installed", wheel)
    return work / "installed"


def python(folder: Path, *arguments: object, path: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=os.environ if path is None else {**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_an_installed_package_renders_the_same_project(
    installed: Path, bundle: Path, tmp_path: Path
):
    options = ("--application-id", "com.example.birds", "--name", "Birds", "--runtime", "tflite")
    command = ("-m", "mobileq", "android", bundle, "-o", tmp_path / "app", *options)
    python(tmp_path, *command, path=installed)
    assert fingerprint(tmp_path / "app") == fingerprint(render(bundle, tmp_path / "other").path)
    # Else a checkout would have been held against itself.
    used = python(tmp_path, "-c", "import mobileq; print(mobileq.__file__)", path=installed)
    assert Path(used.strip()).is_relative_to(installed)


def test_a_runner_is_in_the_wheel_where_one_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    runner = tmp_path / "runner.jar"
    with zipfile.ZipFile(runner, "w") as jar:
        jar.writestr("classes.dex", b"dex")
    monkeypatch.setenv("MOBILEQ_RUNNER", str(runner))
    python(jvm.ROOT, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("mobileq/assets/runner.jar") == runner.read_bytes()
        # With what it is made of, for those who have another TensorFlow Lite.
        assert "mobileq/android_runner/src/main/java/mobileq/runner/Main.java" in archive.namelist()
