"""Line by line: what mobileq stands on."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import mobileq
from mobileq.android import toolchain
from mobileq.targets.registry import TARGETS
from mobileq.workflows import doctor
from mobileq.workflows.doctor import Check, Diagnosis
from tests.device.fixtures import Phones


def found(diagnosis: Diagnosis) -> dict[str, Check]:
    return {each.name: each for each in diagnosis.checks}


@pytest.fixture
def few_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only OpenCV is tried: the others take their time."""
    monkeypatch.setattr(doctor, "_NATIVES", doctor._NATIVES[:1])


def test_here_all_that_is_needed_is_right(phones: Phones) -> None:
    phone = phones()
    closed = phones(state="unauthorized")
    diagnosis = mobileq.doctor(progress=mobileq.Silent())
    checks = found(diagnosis)
    assert diagnosis.ok
    assert [each.name for each in diagnosis.checks if each.is_needed] == [
        *("Python", "packages", "OpenCV"),
        *(native.title for target in TARGETS.values() for native in target.natives),
        "cache",
    ]
    assert "as pinned" in checks["packages"].told
    assert "onnxruntime 1." in checks["ONNX Runtime"].told
    assert checks["adb"].told.startswith("29.")
    told = [each.told for each in diagnosis.checks if each.name == "phone"]
    assert sorted(told) == sorted([f"{phone.serial} (Loop 9)", f"{closed.serial} is unauthorized."])
    assert str(diagnosis).endswith("All that every command needs is right.")


@pytest.mark.usefixtures("few_imports")
def test_a_package_of_another_version_is_named_with_the_command(
    phones: Phones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site" / "onnx-1.9.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: onnx\nVersion: 1.9.0\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    diagnosis = mobileq.doctor(progress=mobileq.Silent())
    packages = found(diagnosis)["packages"]
    assert (diagnosis.ok, packages.state) == (False, "wrong")
    assert "onnx is 1.9.0, not 1." in packages.told
    assert packages.remedy.startswith(f"{sys.executable} -m pip install onnx==1.")
    assert "wrong: packages." in str(diagnosis)


@pytest.mark.usefixtures("few_imports")
def test_a_copy_that_was_never_installed_says_so(
    phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = doctor.version

    def version(package: str) -> str:
        if package == "mobileq":
            raise PackageNotFoundError(package)
        return real(package)

    monkeypatch.setattr(doctor, "version", version)
    packages = found(mobileq.doctor(progress=mobileq.Silent()))["packages"]
    assert packages.state == "wrong"
    assert "mobileq is not installed" in packages.told


@pytest.mark.usefixtures("few_imports")
@pytest.mark.parametrize(
    ("code", "told", "remedy"),
    [
        (
            "raise ImportError('libGL.so.1: cannot open shared object file')",
            "ImportError: libGL.so.1: cannot open",
            "apt install libgl1",
        ),
        ("import os; os.kill(os.getpid(), 4)", "ended with SIGILL", "another computer"),
        ("import os; os.abort()", "ended with SIGABRT", "--force-reinstall --no-deps opencv"),
    ],
)
def test_a_library_that_does_not_load_is_named(
    phones: Phones,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    told: str,
    remedy: str,
) -> None:
    (tmp_path / "cv2.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    diagnosis = mobileq.doctor(progress=mobileq.Silent())
    assert not diagnosis.ok
    assert told in found(diagnosis)["OpenCV"].told
    assert remedy in found(diagnosis)["OpenCV"].remedy


@pytest.mark.usefixtures("few_imports")
def test_a_cache_that_cannot_be(phones: Phones, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBILEQ_CACHE_DIR", "/dev/null/cache")
    cache = found(mobileq.doctor(progress=mobileq.Silent()))["cache"]
    assert (cache.state, "cannot be written" in cache.told) == ("wrong", True)
    monkeypatch.delenv("MOBILEQ_CACHE_DIR")
    monkeypatch.setenv("MOBILEQ_CACHE_MAX_MB", "much")
    assert "not a whole number" in found(mobileq.doctor(progress=mobileq.Silent()))["cache"].told


@pytest.mark.usefixtures("few_imports")
def test_a_computer_without_tools_for_phones_lacks_nothing_that_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_SDK_FOLDERS", ())
    for name in ("JAVA_HOME", "ANDROID_HOME", "ANDROID_SDK_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MOBILEQ_RUNNER_DIR", str(tmp_path / "runner"))
    diagnosis = mobileq.doctor(progress=mobileq.Silent())
    assert diagnosis.ok
    for name in ("Java", "Android SDK", "Gradle", "runner", "adb"):
        assert found(diagnosis)[name].state == "absent"
        assert found(diagnosis)[name].remedy
    assert "phone" not in found(diagnosis)
    (tmp_path / "runner" / "lib" / "arm64-v8a").mkdir(parents=True)
    (tmp_path / "runner" / "lib" / "arm64-v8a" / "libx.so").touch()
    (tmp_path / "runner" / "runner.jar").touch()
    runner = found(mobileq.doctor(progress=mobileq.Silent()))["runner"]
    assert (runner.state, runner.told) == ("ok", f"for arm64-v8a in {tmp_path / 'runner'}")
