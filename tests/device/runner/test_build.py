"""Making the runner: one archive for Android 7 and later, the same from the same, and its kit."""

from __future__ import annotations

import http.server
import os
import re
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from mobileq.android.apk import Apk, read_apk
from mobileq.device.runner import fetch
from mobileq.device.runner.build import build_kit, make_dex
from mobileq.device.runner.kit import JAR, Kit, find_kit
from mobileq.errors import InputError, MissingDependencyError, MobileqError, ToolError, UsageError
from mobileq.workflows import runner as workflow
from mobileq.workflows.runner import build_runner
from tests.android import jvm
from tests.android.class_references import Library
from tests.android.rendered import aapt2

ABIS = ["arm64-v8a", "armeabi-v7a", "x86", "x86_64"]


def test_a_kit_is_a_runner_and_native_libraries(kit: Kit):
    with zipfile.ZipFile(kit.jar) as jar:
        assert jar.namelist() == ["classes.dex"]
        assert jar.read("classes.dex").startswith(b"dex\n03")
    assert kit.jar.stat().st_size < 207_000
    assert kit.abis == ABIS
    names = ["libtensorflowlite_gpu_jni.so", "libtensorflowlite_jni.so"]
    assert [path.name for path in kit.libraries("arm64-v8a")] == names
    assert kit.libraries("riscv64") == []
    assert find_kit(kit.folder) == kit


def test_it_is_the_same_bytes_every_time(kit: Kit, archives: list[Path], r8: Path, tmp_path: Path):
    scratch = tmp_path / "a folder with another name"
    scratch.mkdir()
    with zipfile.ZipFile(kit.jar) as jar:
        assert make_dex(jvm.jdk(), r8, archives, scratch) == jar.read("classes.dex")


def test_what_is_as_it_was_is_not_made_again(kit: Kit, archives: list[Path], r8: Path):
    before = kit.jar.stat()
    again, is_new = build_kit(kit.folder, archives=archives, r8=r8)
    assert (again, is_new) == (kit, False)
    assert again.jar.stat() == before


def dumped(kit: Kit) -> str:
    options = [jvm.tool("dexdump"), "-d", str(kit.jar)]
    return subprocess.run(options, capture_output=True, text=True, check=True).stdout


def test_android_7_has_every_class_that_the_dex_names(kit: Kit):
    text = dumped(kit)
    own = set(re.findall(r"Class descriptor  : 'L([\w/$-]+);'", text))
    assert {
        "mobileq/runner/Main",
        "mobileq/runner/Instrument",
        "mobileq/app/tflite/TfliteRuntime",
    } <= own
    assert {"org/tensorflow/lite/Interpreter", "org/tensorflow/lite/gpu/GpuDelegate"} <= own
    named = set(re.findall(r"L((?:java|javax|android|dalvik|sun|kotlin)/[\w/$]+);", text)) - own
    assert len(named) > 60
    system = Library(jvm.libraries("android-24"), jvm.jdk())
    missing = {name for name in named if system.find(name) is None}
    # An annotation, which nobody looks at when it runs.
    assert {name for name in missing if not name.startswith("dalvik/annotation/")} == set()
    assert "androidx/" not in "".join(own)


def test_stubs_of_android_are_not_in_it(kit: Kit):
    assert "Class descriptor  : 'Landroid/" not in dumped(kit)


def test_a_runner_that_is_made_already_needs_no_java(
    kit: Kit, archives: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    made, _ = build_kit(tmp_path / "kit", archives=archives, jar=kit.jar)
    assert made.jar.read_bytes() == kit.jar.read_bytes()
    with pytest.raises(MissingDependencyError, match="needs a JDK: not on PATH"):
        build_kit(tmp_path / "other", archives=archives, r8=kit.jar)


def test_an_app_of_it_is_signed_and_says_what_android_asks_for(
    kit: Kit, archives: list[Path], tmp_path: Path
):
    made, _ = build_kit(tmp_path / "kit", archives=archives, jar=kit.jar, apk=True)
    assert read_apk(made.apk) == Apk(made.apk, "mobileq.runner", tuple(ABIS))
    told = ran(str(aapt2()), "dump", "badging", str(made.apk))
    for line in (
        "package: name='mobileq.runner' versionCode='1' versionName='1'",
        "sdkVersion:'24'",
        "targetSdkVersion:'29'",
        "native-code: 'arm64-v8a' 'armeabi-v7a' 'x86' 'x86_64'",
    ):
        assert line in told.splitlines()
    tree = ran(str(aapt2()), "dump", "xmltree", "--file", "AndroidManifest.xml", str(made.apk))
    assert 'name(0x01010003)="mobileq.runner.Instrument"' in tree
    assert 'targetPackage(0x01010021)="mobileq.runner"' in tree
    assert "extractNativeLibs(0x010104ea)=true" in tree
    signed = ran(jvm.tool("apksigner"), "verify", "--verbose", str(made.apk))
    assert "Verified using v1 scheme (JAR signing): true" in signed
    with zipfile.ZipFile(made.apk) as apk, zipfile.ZipFile(kit.jar) as jar:
        assert apk.read("classes.dex") == jar.read("classes.dex")
        for path in made.libraries("arm64-v8a"):
            assert apk.read(f"lib/arm64-v8a/{path.name}") == path.read_bytes()
    again, is_new = build_kit(made.folder, archives=archives, jar=kit.jar, apk=True)
    assert (again, is_new) == (made, False)
    without, is_new = build_kit(made.folder, archives=archives, jar=kit.jar)
    assert is_new
    assert not without.apk.exists()


def ran(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_jdk_that_is_too_old_is_named(
    archives: list[Path], r8: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "bin").mkdir()
    java = tmp_path / "bin" / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"'\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingDependencyError, match=r"JDK: 11\.0\.2 at .*17 or later is needed"):
        build_kit(tmp_path / "kit", archives=archives, r8=r8)


def test_classes_that_do_not_fit_are_javacs_error(kit: Kit, r8: Path, tmp_path: Path):
    foreign = tmp_path / "foreign.aar"
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("jni/x86/libtensorflowlite_jni.so", b"\x7fELF")
        archive.write(r8, "classes.jar")
    with pytest.raises(ToolError, match=r"package org\.tensorflow\.lite does"):
        build_kit(tmp_path / "kit", archives=[foreign], r8=r8)
    assert not (tmp_path / "kit").exists()


def test_what_is_no_android_library_is_named(r8: Path, tmp_path: Path):
    text = tmp_path / "litert.aar"
    text.write_text("<html>404</html>")
    with pytest.raises(InputError, match=r"litert\.aar cannot be read: it is no archive"):
        build_kit(tmp_path / "kit", archives=[text], r8=r8)
    with pytest.raises(InputError, match=r"None of the archives has libtensorflowlite_jni\.so"):
        build_kit(tmp_path / "kit", archives=[r8], r8=r8)


def test_a_library_cannot_leave_its_folder(tmp_path: Path, kit: Kit):
    hostile = tmp_path / "hostile.aar"
    with zipfile.ZipFile(hostile, "w") as archive:
        archive.writestr("jni/x86/libtensorflowlite_jni.so", b"\x7fELF")
        archive.writestr("jni/../evil.so", b"\x7fELF")
        archive.writestr("jni/../../evil.so", b"\x7fELF")
    made, _ = build_kit(tmp_path / "kit", archives=[hostile], jar=kit.jar)
    found = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.so")]
    assert found == ["kit/lib/x86/libtensorflowlite_jni.so"]
    assert made.abis == ["x86"]


def test_a_folder_of_something_else_is_not_replaced(kit: Kit, archives: list[Path], tmp_path: Path):
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="not a runner's folder"):
        build_kit(tmp_path, archives=archives, jar=kit.jar)
    assert (tmp_path / "photo.jpg").read_bytes() == b"mine"


def test_without_a_kit_it_is_said_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MOBILEQ_RUNNER_DIR", str(tmp_path))
    with pytest.raises(MissingDependencyError) as raised:
        find_kit()
    assert "mobileq runner build" in raised.value.hint


class TestFetching:
    """From a repository of our own."""

    @pytest.fixture
    def repository(self, tmp_path: Path) -> Iterator[str]:
        handler = partial(_Quiet, directory=str(tmp_path / "repository"))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}"
            server.shutdown()

    def published(self, tmp_path: Path, content: bytes) -> fetch.Published:
        path = tmp_path / "repository" / "com/android/tools/r8/9.5.28/r8-9.5.28.jar"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        return fetch.R8

    def test_a_file_with_its_hash_is_kept(self, tmp_path: Path, repository: str, r8: Path):
        wanted = self.published(tmp_path, r8.read_bytes())
        found = fetch.fetched(wanted, tmp_path / "kept", repository)
        assert found.read_bytes() == r8.read_bytes()
        assert fetch.fetched(wanted, tmp_path / "kept", "http://127.0.0.1:1") == found

    def test_another_file_is_refused_and_not_kept(self, tmp_path: Path, repository: str):
        wanted = self.published(tmp_path, b"something else")
        with pytest.raises(MobileqError, match="is not the file that it was"):
            fetch.fetched(wanted, tmp_path / "kept", repository)
        assert list((tmp_path / "kept").iterdir()) == []

    def test_what_cannot_be_had_is_named(self, tmp_path: Path, repository: str):
        wanted = renamed(fetch.R8)
        with pytest.raises(MobileqError, match=r"r9-9\.5\.28\.jar cannot be fetched"):
            fetch.fetched(wanted, tmp_path / "kept", repository)
        with pytest.raises(MobileqError, match=r"cannot be fetched: .*refused"):
            fetch.fetched(wanted, tmp_path / "kept", "http://127.0.0.1:1")

    def test_the_pinned_files_are_those_that_are_tested(self, archives: list[Path], r8: Path):
        pinned = {each.name: each.sha256 for each in (fetch.R8, *fetch.TFLITE)}
        found = {path.name: fetch._digest(path) for path in (*archives, r8)}
        assert pinned == found


def renamed(published: fetch.Published) -> fetch.Published:
    return fetch.Published(**{**vars(published), "artifact": "r9"})


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


def test_nothing_is_downloaded_unasked(
    archives: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(UsageError, match="no native library"):
        build_runner(output=tmp_path / "kit")
    monkeypatch.setattr(workflow, "packaged_jar", lambda: None)
    with pytest.raises(UsageError, match="came without a runner"):
        build_runner(archives, output=tmp_path / "kit")
    assert os.listdir(tmp_path) == []


def test_a_runner_that_came_with_mobileq_is_taken(
    kit: Kit, archives: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(workflow, "packaged_jar", lambda: kit.jar)
    made = build_runner(archives, output=tmp_path / "kit")
    assert (made.path / JAR).read_bytes() == kit.jar.read_bytes()
    assert made.is_new
    assert list(made.abis) == ABIS
