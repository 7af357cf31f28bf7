"""The rendered app, run on a desktop: Android's framework and Skia by Robolectric, real TFLite."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mobileq.bundle import read_bundle
from mobileq.targets.tflite.interpreter import TfliteRunner
from mobileq.vision.image_file import read_image
from mobileq.vision.nms import Thresholds
from mobileq.vision.postprocess import postprocess
from mobileq.vision.preprocess import preprocess
from tests.android import jvm
from tests.android.rendered import NAMESPACE, Project, compile_app, link_resources, render

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="desktop TFLite is fetched for Linux only"),
]

HERE = Path(__file__).parent
DEMO = jvm.ROOT / "assets" / "demo"
PHOTO = DEMO / "validation" / "images" / "003.jpg"
OPENED = "--add-opens=java.base/java.{}=ALL-UNNAMED"


@pytest.fixture(scope="module")
def demo_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo detector as fp32 and int8."""
    from mobileq.__main__ import main

    output = tmp_path_factory.mktemp("demo") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOBILEQ_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("MOBILEQ_LOG_DIR", str(tmp_path_factory.mktemp("logs")))
        arguments = ["convert", str(DEMO / "demo.onnx"), "-o", str(output)]
        arguments += ["--calib", str(DEMO / "calibration" / "images"), "--calib-count", "8"]
        assert main([*arguments, "--precision", "fp32,int8"]) == 0
    return output


@pytest.fixture(scope="module")
def frames(demo_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One photo as the camera would store it in each rotation, and what Python finds in it."""
    folder = tmp_path_factory.mktemp("frames")
    upright = read_image(PHOTO)
    # Not the JPEG itself: two decoders need not agree on it to the last bit.
    cv2.imwrite(str(folder / "photo.png"), cv2.cvtColor(upright, cv2.COLOR_RGB2BGR))
    manifest = read_bundle(demo_bundle).manifest
    for artifact in manifest.artifacts:
        runner = TfliteRunner(demo_bundle / artifact.path, artifact.inputs, artifact.outputs, 1)
        decode = artifact.decode or manifest.model.decode
        assert decode is not None
        assert manifest.model.preprocess is not None
        for rotation in (0, 90, 180, 270):
            frame = np.ascontiguousarray(np.rot90(upright, rotation // 90))
            tensor, transform = preprocess(frame, manifest.model.preprocess, rotation=rotation)
            outputs = runner.run({manifest.model.inputs[0].name: tensor})
            found = postprocess(decode, outputs, transform, Thresholds.display(decode))
            assert len(found) > 1
            name = f"{artifact.precision}-{rotation}"
            _write_frame(folder / name, frame, rotation, found)
        runner.close()
    return folder


def _write_frame(path: Path, frame: np.ndarray, rotation: int, found) -> None:
    height, width = frame.shape[:2]
    rgba = np.concatenate([frame, np.full((height, width, 1), 255, np.uint8)], axis=2)
    rows = np.pad(rgba.reshape(height, -1), ((0, 0), (0, 64)), constant_values=77)
    path.with_suffix(".rgba").write_bytes(rows.tobytes())
    listed = [
        [*map(float, box), float(score), float(class_id)]
        for box, score, class_id in zip(found.xyxy, found.score, found.class_id, strict=True)
    ]
    described = {
        "width": width,
        "height": height,
        "row_stride": rows.shape[1],
        "rotation": rotation,
        "detections": [listed],
    }
    path.with_suffix(".json").write_text(json.dumps(described))


@pytest.fixture(scope="module")
def desktop_tflite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TFLite's Java interpreter over a desktop build."""
    output = tmp_path_factory.mktemp("desktop")
    classes = jvm.libraries("desktop-tflite", "tflite")
    said = jvm.javac(output, jvm.sources(HERE / "desktop"), classes, "-Xlint:none")
    assert not said, said
    return output


@pytest.fixture(scope="module")
def run_app(
    demo_bundle: Path,
    frames: Path,
    desktop_tflite: Path,
    core_classes: Path,
    camera_stubs: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Renders the app, and runs one class of tests in it, with its bundle or a changed one."""
    project = render(demo_bundle, tmp_path_factory.mktemp("app"), name="Shapes")
    assert not link_resources(project)
    said = compile_app(project, core_classes, camera_stubs)
    assert not said, said
    runtime = [
        *(desktop_tflite, project.work / "classes", core_classes, camera_stubs),
        *jvm.libraries("robolectric", "desktop-tflite", "tflite", "androidx"),
        *jvm.libraries("androidx-runtime", "androidx-test"),
    ]
    tests = project.work / "tests"
    compiling = [*runtime, *jvm.libraries("android")]
    library_r = jvm.write_library_r(project.work / "library-r", "androidx", "androidx-runtime")
    sources = [*jvm.sources(HERE / "app"), *library_r]
    said = jvm.javac(tests, sources, compiling, "-Xlint:none")
    assert not said, said

    def run(test: str, assets: Path | None = None, **properties: str):
        said = link_resources(project, assets=assets)
        assert not said, said
        _configure(tests, project)
        (instrumented,) = jvm.libraries("android-instrumented")
        options = {
            "robolectric.offline": "true",
            "robolectric.dependency.dir": str(instrumented.parent),
            "javacpp.platform": "linux-x86_64",
            "frames": str(frames),
            "photo": str(frames / "photo.png"),
            "screenshots": os.environ.get("MOBILEQ_SCREENSHOTS") or str(project.work / "shots"),
            **properties,
        }
        return subprocess.run(
            [
                *(jvm.tool("java"), "-Xmx2g"),
                *(OPENED.format(name) for name in ("lang", "io", "util", "nio", "net")),
                *(f"-D{name}={value}" for name, value in options.items()),
                *("-cp", jvm.class_path([tests, *runtime, *jvm.libraries("android")])),
                *("org.junit.runner.JUnitCore", f"{NAMESPACE}.{test}"),
            ],
            capture_output=True,
            text=True,
        )

    return run


def _configure(classes: Path, project: Project) -> None:
    """Tells Robolectric where the app's resources are, as Gradle would."""
    file = classes / "com/android/tools/test_config.properties"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f"android_resource_apk={project.work / 'resources.apk'}\n"
        f"android_merged_manifest={project.work / 'AndroidManifest.xml'}\n"
        f"android_merged_assets={project.main / 'assets'}\n"
        f"android_custom_package={NAMESPACE}\n"
    )


def test_the_app_finds_and_draws_what_python_finds(run_app):
    done = run_app("MainActivityTest")
    assert re.search(r"^OK \(\d\d tests\)", done.stdout, re.MULTILINE), (
        done.stdout[-8000:] + done.stderr[-2000:]
    )


@pytest.mark.parametrize(
    ("there", "instead", "expected"),
    [
        ('"kind": "yolov8"', '"kind": "yolov99"', "invalid value 'yolov99'"),
        ('"class_count": 4', '"class_count": 5', "no axis holds the 9 values"),
        ('"schema_version": 1', '"schema_version": 2', "make the app again"),
        ('"artifact_name": "output0"', '"new": 1, "artifact_name": "output0"', "unknown field"),
    ],
)
def test_a_manifest_that_does_not_fit_is_a_sentence_on_the_screen(
    run_app, demo_bundle: Path, tmp_path: Path, there: str, instead: str, expected: str
):
    assets = _changed(demo_bundle, tmp_path, there, instead)
    done = run_app("BrokenBundleTest", assets, expected=expected)
    assert "OK (1 test)" in done.stdout, done.stdout[-4000:]


def test_a_file_of_another_model_is_a_sentence_on_the_screen(
    run_app, demo_bundle: Path, tmp_path: Path
):
    """Rows and columns of another length: the file loads, but is not what the manifest says."""
    assets = _changed(demo_bundle, tmp_path, '"height": 160', '"height": 80')
    manifest = assets / "bundle" / "manifest.json"
    text = manifest.read_text().replace('"width": 160', '"width": 320')
    text = re.sub(r"160,\s+160,\s+3\s", "80, 320, 3 ", text)
    manifest.write_text(re.sub(r"3,\s+160,\s+160\s", "3, 80, 320 ", text))
    done = run_app("BrokenBundleTest", assets, expected="does not belong to its manifest")
    assert "OK (1 test)" in done.stdout, done.stdout[-4000:]


def _changed(bundle: Path, folder: Path, there: str, instead: str) -> Path:
    shutil.copytree(bundle, folder / "assets" / "bundle")
    manifest = folder / "assets" / "bundle" / "manifest.json"
    text = manifest.read_text()
    assert there in text
    manifest.write_text(text.replace(there, instead))
    return folder / "assets"
