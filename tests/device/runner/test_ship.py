"""From an ONNX model to an app on a device of our own; what is done is not done again, and a cable
that is pulled out costs the stages behind it alone."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import onnx
import pytest

from mobileq.android import toolchain
from mobileq.android.project import STATE_NAME
from mobileq.bundle import read_bundle, verify_bundle
from mobileq.device import install as steps
from mobileq.device.runner.kit import Kit
from mobileq.evaluate.report import read_report
from mobileq.progress import Silent
from mobileq.workflows.ship import ship
from mobileq.workflows.shipped import Shipped
from tests.android.apks import write_apk
from tests.android.bundles import colours_model
from tests.device.fixtures import Phones
from tests.device.loopback import LoopbackDevice
from tests.device.runner.conftest import DEMO
from tests.device.runner.test_on_phone import WITH_RUNNER

pytestmark = pytest.mark.usefixtures("children")

GRADLE = """#!/bin/sh
echo built >> "{project}/../built"
mkdir -p "{project}/app/build/outputs/apk/debug"
cp "{apk}" "{project}/app/build/outputs/apk/debug/app.apk"
echo '{{"elements": [{{"outputFile": "app.apk"}}]}}' \
    > "{project}/app/build/outputs/apk/debug/output-metadata.json"
"""


@pytest.fixture(autouse=True)
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an Android SDK, and with folders of its own."""
    monkeypatch.setenv("MOBILEQ_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MOBILEQ_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setattr(toolchain, "_SDK_FOLDERS", ())
    monkeypatch.setattr(steps, "_SETTLED_S", 0.1)
    for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def phone(phones: Phones, command: tuple[str, ...]) -> LoopbackDevice:
    made = phones()
    words = map(shlex.quote, (command[0], "-Dorg.bytedeco.javacpp.cachedir=/tmp", *command[1:]))
    made.sandbox.install("app_process", WITH_RUNNER.format(command=" ".join(words)))
    return made


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A model that tells what colour a picture has."""
    path = tmp_path / "colours.onnx"
    onnx.save(colours_model(), path)
    return path


def states(done: Shipped) -> dict[str, str]:
    return {each.name: each.state for each in done.stages}


def written(folder: Path) -> dict[str, int]:
    """Every file's time, but that of the app's own list, which is written each time."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != STATE_NAME)
    return {str(path): path.stat().st_mtime_ns for path in files}


def with_gradle(project: Path, apk: Path) -> None:
    """What Gradle would do, by a script of ours."""
    (project / "gradlew").write_text(GRADLE.format(project=project, apk=apk))
    (project / "gradlew").chmod(0o755)


def test_the_demo_is_shipped_and_finds_there_what_it_finds_here(
    phone: LoopbackDevice, kit: Kit, tmp_path: Path
):
    output = tmp_path / "out"

    def again() -> Shipped:
        return ship(
            *(DEMO / "demo.onnx", output),
            **{"application_id": "com.example.shapes", "precision": "fp16,int8"},
            **{"search": False, "calib": DEMO / "calibration" / "images", "calib_count": 4},
            **{"eval_images": DEMO / "validation" / "images", "annotations": DEMO / "data.yaml"},
            **{"count": 6, "runs": 3, "runner": kit.folder, "progress": Silent()},
            delegates=("cpu", "gpu"),
        )  # type: ignore[call-overload]

    done = again()
    assert states(done) == {
        **dict.fromkeys(("convert", "push", "validate", "bench", "app"), "done"),
        "install": "FAILED",
    }
    assert (done.exit_code, done.failed) == (4, done.stages[-1])
    assert "Android SDK: not found" in done.stages[-1].told
    assert "sdkmanager" in done.stages[-1].hint
    for stage in (done.stages[2], done.stages[3]):
        assert "tflite-fp16 on gpu, tflite-int8 on gpu failed: " in stage.problem
        assert "no GPU on a desktop" in stage.problem
        assert stage.exit_code == 1
    assert done.recommendation is not None
    assert "of Example Loop 9" in done.recommendation.why

    validation = read_report(output / "demo").validation
    assert validation is not None
    assert validation.phone is not None
    here = {each.name: each for each in validation.scores}
    half, integer = validation.phone.files
    assert half.scores.accuracy == here["tflite-fp16"].accuracy
    assert here["tflite-fp16"].accuracy["map50_95"] > 0.3
    assert half.pictures == ()
    # XNNPACK's kernels round otherwise than TFLite's own, which the device has.
    assert integer.scores.accuracy["map50_95"] == pytest.approx(
        here["tflite-int8"].accuracy["map50_95"], abs=0.03
    )
    (bench,) = read_bundle(output / "demo").benches
    assert [(row.artifact, row.where) for row in bench.rows if row.median_ms] == [
        ("tflite-fp16", "cpu, all"),
        ("tflite-int8", "cpu, all"),
    ]
    assert verify_bundle(output / "demo").ok
    values = output / "app" / "app/src/main/res/values/app.xml"
    assert '"default_accelerator" translatable="false">CPU<' in values.read_text()

    before = written(output)
    assert states(again()) == {**dict.fromkeys(states(done), "as before"), "install": "FAILED"}
    assert written(output) == before


def test_a_cable_that_is_pulled_out_ends_what_needs_it_and_the_next_run_goes_on(
    phones: Phones, phone: LoopbackDevice, kit: Kit, colours: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mobileq.device.files._PATIENCE_S", 1.0)

    def again() -> Shipped:
        options: dict[str, Any] = {"precision": "fp32", "runs": 2, "runner": kit.folder}
        options |= {"target": "tflite,mnn"}
        options |= {"eval_images": DEMO / "validation" / "images", "count": 2}
        return ship(
            *(colours, colours.parent / "out"),
            **{"application_id": "com.example.colours", "progress": Silent(), **options},
        )

    phone.cut_after(1000, back=False)
    done = again()
    assert states(done) == {
        **{"convert": "done", "push": "FAILED", "validate": "done"},
        **{"bench": "left out", "app": "done", "install": "left out"},
    }
    assert done.exit_code == 5
    assert phone.serial in done.stages[1].told
    assert "Plug it in again" in done.stages[1].hint
    assert done.stages[3].told == done.stages[1].told
    assert read_report(Path(done.bundle or "")).validation is not None

    phones.plug(phone)
    done = again()
    assert states(done) == {
        **{"convert": "as before", "push": "done", "validate": "done"},
        **{"bench": "done", "app": "done", "install": "FAILED"},
    }
    (there,) = phone.sandbox.place("data/local/tmp/mobileq").iterdir()
    assert [path.name for path in (there / "models").iterdir()] == ["colours-fp32.tflite"]
    phone.unplug()
    done = again()
    assert states(done)["validate"] == "as before", "what was measured there is still right"
    assert states(done)["push"] == "left out"
    assert done.exit_code == 0


def test_a_phone_that_goes_away_while_it_runs_files_leaves_what_this_computer_measured(
    phone: LoopbackDevice, kit: Kit, colours: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mobileq.device.runner.remote._PATIENCE_S", 1.0)

    class Unplugging(Silent):
        def stage(self, name: str, total: int | None = None, unit: str = "") -> Any:
            if name == "Running tflite-fp32":
                phone.unplug()
            return super().stage(name, total, unit)

    done = ship(
        *(colours, colours.parent / "out"),
        application_id="com.example.colours",
        precision="fp32",
        eval_images=DEMO / "validation" / "images",
        count=2,
        runner=kit.folder,
        progress=Unplugging(),
    )
    assert states(done)["validate"] == "FAILED"
    assert (states(done)["bench"], states(done)["app"]) == ("left out", "done")
    assert done.exit_code == 5
    validation = read_report(Path(done.bundle or "")).validation
    assert validation is not None
    assert [each.name for each in validation.scores] == ["onnx", "tflite-fp32"]


def test_without_the_runner_all_but_what_it_runs_is_done_and_an_app_is_built_once(
    phones: Phones, colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    device, output = phones(), tmp_path / "out"

    def again() -> Shipped:
        options: dict[str, Any] = {"precision": "fp32", "runner": tmp_path / "no kit"}
        options |= {"application_id": "com.example.colours", "progress": Silent()}
        return ship(colours, output, **options)

    done = again()
    assert states(done) == {
        **{"convert": "done", "push": "done", "validate": "left out", "bench": "FAILED"},
        **{"app": "done", "install": "FAILED"},
    }
    told = {each.name: each for each in done.stages}
    assert "no pictures to validate on" in told["validate"].told
    assert "mobileq runner build" in told["bench"].hint
    assert done.exit_code == 4

    (tmp_path / "sdk" / "licenses").mkdir(parents=True)
    (tmp_path / "sdk" / "licenses" / "android-sdk-license").touch()
    monkeypatch.setattr(toolchain, "_SDK_FOLDERS", (str(tmp_path / "sdk"),))
    apk = write_apk(tmp_path / "any.apk", application_id="com.example.colours")
    with_gradle(output / "app", apk)
    done = again()
    assert (states(done)["app"], states(done)["install"]) == ("as before", "done"), done.stages[
        -1
    ].told
    assert (device.sandbox.root / "installed" / "app.apk").read_bytes() == apk.read_bytes()
    done = again()
    assert states(done)["install"] == "as before"
    assert (output / "built").read_text() == "built\n"
    device.sandbox.place("data/app/base.apk").write_bytes(b"another")
    assert states(again())["install"] == "done"
    (output / "app" / "README.md").write_text("mine")
    assert states(again())["install"] == "as before", "the same APK came of it"
    assert (output / "built").read_text() == "built\nbuilt\n"
