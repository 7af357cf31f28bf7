"""The rendered app, run on a desktop: Android's framework and Skia by Robolectric, real TFLite."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from mobileq.bundle import read_bundle
from mobileq.targets.registry import load_target
from mobileq.tasks.detect.nms import Thresholds
from mobileq.tasks.detect.postprocess import postprocess
from mobileq.vision.image_file import read_image
from mobileq.vision.preprocess import preprocess
from tests.android import dexing, jvm
from tests.android.bundles import colours_model
from tests.android.golden_folder import boxes
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
def demo_bundle(
    children: None, tmp_path_factory: pytest.TempPathFactory, cache_folder: Path
) -> Path:
    """The demo detector as fp32 and int8 for both runtimes."""
    from mobileq.__main__ import main

    output = tmp_path_factory.mktemp("demo") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOBILEQ_CACHE_DIR", str(cache_folder))
        patch.setenv("MOBILEQ_LOG_DIR", str(tmp_path_factory.mktemp("logs")))
        pictures = DEMO / "calibration" / "images"
        arguments = ["convert", str(DEMO / "demo.onnx"), "-o", str(output), "--no-search"]
        arguments += ["--calib", str(pictures), "--calib-count", "8"]
        arguments += ["--target", "tflite,mnn", "--precision", "fp32,int8"]
        assert main(arguments) == 0
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
        target = load_target(artifact.target)
        runner = target.open(demo_bundle / artifact.path, artifact.inputs, artifact.outputs)
        decode = artifact.decode or manifest.model.decode
        assert decode is not None
        assert manifest.model.preprocess is not None
        for rotation in (0, 90, 180, 270):
            frame = np.ascontiguousarray(np.rot90(upright, rotation // 90))
            tensor, transform = preprocess(frame, manifest.model.preprocess, rotation=rotation)
            outputs = runner.run({manifest.model.inputs[0].name: tensor})
            found = postprocess(decode, outputs, transform, Thresholds.display(decode))
            assert len(found) > 1
            name = f"{artifact.target}-{artifact.precision}-{rotation}"
            _write_frame(folder / name, frame, rotation, found)
        runner.close()
    return folder


def _write_frame(path: Path, frame: np.ndarray, rotation: int, found) -> None:
    height, width = frame.shape[:2]
    rgba = np.concatenate([frame, np.full((height, width, 1), 255, np.uint8)], axis=2)
    rows = np.pad(rgba.reshape(height, -1), ((0, 0), (0, 64)), constant_values=77)
    path.with_suffix(".rgba").write_bytes(rows.tobytes())
    described = {
        "width": width,
        "height": height,
        "row_stride": rows.shape[1],
        "rotation": rotation,
        **boxes(found),
    }
    path.with_suffix(".json").write_text(json.dumps(described))


@pytest.fixture(scope="module")
def classifiers(
    children: None, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, str]]:
    """Assets with the bundle of a model that tells what colour a picture has, and of one that tells
    its light beside that; and what each says of the photo."""
    lights = ["dim", "lit"]
    return {
        "classifier": _classifier(tmp_path_factory, colours_model(), COLOURS),
        "heads": _classifier(tmp_path_factory, colours_model(lights=True), COLOURS + lights),
    }


COLOURS = ["red", "green", "blue", "yellow", "dark", "bright"]


def _classifier(
    tmp_path_factory: pytest.TempPathFactory, model: onnx.ModelProto, names: list[str]
) -> tuple[Path, str]:
    from mobileq.__main__ import main

    folder = tmp_path_factory.mktemp("colours")
    onnx.helper.set_model_props(model, {"task": "classify", "names": repr(names)})
    onnx.save(model, folder / "colours.onnx")
    arguments = ["convert", str(folder / "colours.onnx"), "-o", str(folder / "assets" / "bundle")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOBILEQ_CACHE_DIR", str(folder / "cache"))
        patch.setenv("MOBILEQ_LOG_DIR", str(folder / "logs"))
        assert main([*arguments, "--target", "tflite", "--precision", "fp32"]) == 0
    manifest = read_bundle(folder / "assets" / "bundle").manifest
    (artifact,) = manifest.artifacts
    assert manifest.model.preprocess is not None
    runner = load_target("tflite").open(
        folder / "assets" / "bundle" / artifact.path, artifact.inputs, artifact.outputs
    )
    tensor, _ = preprocess(read_image(PHOTO), manifest.model.preprocess)
    outputs = runner.run({"x": tensor})
    runner.close()
    told, first = [], 0
    for name in (each.name for each in manifest.model.outputs):
        scores, head = outputs[name][0], f"{name}: " if len(outputs) > 1 else ""
        best = np.argsort(-scores)[:5]
        assert min(-np.diff(scores[best])) > 0.005
        told += [f"{head}{names[first + at]} {scores[at]:.4f}" for at in best]
        first += len(scores)
    return folder / "assets", ", ".join(told)


@dataclass(frozen=True)
class App:
    """The rendered app with its tests, compiled, and what a JVM needs to run it."""

    project: Project
    tests: Path
    runtime: list[Path]
    classes: tuple[Path, ...]
    """Of the app itself, in `runtime` as well."""


@pytest.fixture(scope="module")
def app(
    demo_bundle: Path,
    desktop_runtimes: Path,
    core_classes: Path,
    camera_stubs: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> App:
    work = tmp_path_factory.mktemp("app")
    project = render(demo_bundle, work, name="Shapes", runtimes=("tflite", "mnn"))
    assert not link_resources(project)
    said = compile_app(project, core_classes, camera_stubs)
    assert not said, said
    runtime = [
        *(desktop_runtimes, project.work / "classes", core_classes, camera_stubs),
        *jvm.libraries("robolectric", "desktop-tflite", "tflite", "androidx"),
        *jvm.libraries("androidx-runtime", "androidx-test", "android"),
    ]
    tests = project.work / "tests"
    library_r = jvm.write_library_r(project.work / "library-r", "androidx", "androidx-runtime")
    sources = [*jvm.sources(HERE / "app"), *library_r]
    said = jvm.javac(tests, sources, runtime, "-Xlint:none")
    assert not said, said
    return App(project, tests, runtime, (project.work / "classes", core_classes))


def _other_side(manifest: str) -> str:
    """Rows and columns of another length: the file loads, but is not what the manifest says."""
    text = manifest.replace('"height": 160', '"height": 80').replace('"width": 160', '"width": 320')
    text = re.sub(r"160,\s+160,\s+3\s", "80, 320, 3 ", text)
    return re.sub(r"3,\s+160,\s+160\s", "3, 80, 320 ", text)


BROKEN: dict[str, tuple[Callable[[str], str], str]] = {
    "kind": (lambda m: m.replace('"yolov8"', '"yolov99"'), "invalid value 'yolov99'"),
    "classes": (
        lambda m: m.replace('"class_count": 4', '"class_count": 5'),
        "no axis holds the 9 values",
    ),
    "schema": (
        lambda m: m.replace('"schema_version": 3', '"schema_version": 4'),
        "make the app again",
    ),
    "field": (
        lambda m: m.replace('"artifact_name"', '"new": 1, "artifact_name"'),
        "unknown field",
    ),
    "another model": (_other_side, "does not belong to its manifest"),
    "task": (lambda m: m.replace('"task": "detect"', '"task": "segment"'), "no task 'segment'"),
    "no task": (lambda m: m.replace('"task": "detect"', '"task": "unknown"'), "no task 'unknown'"),
}
"""What becomes of the manifest, and part of the sentence that the screen says then."""

SCREEN_TESTS = (
    "MainActivityTest",
    "PauseTest",
    "CameraTest",
    "PermissionTest",
    "DeviceTest",
    "PhotoTest",
    "SeriesTest",
    "SizesTest",
)
"""Of the app as it is rendered, by their class."""


@pytest.fixture(scope="module")
def results(
    app: App,
    frames: Path,
    demo_bundle: Path,
    classifiers: dict[str, tuple[Path, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """What each class of tests said, in the app with its bundle and with changed ones."""
    folder = tmp_path_factory.mktemp("results")
    cases = {name: _write_case(folder / name, app, name) for name in SCREEN_TESTS}
    for name, (change, expected) in BROKEN.items():
        assets = folder / f"{name} assets"
        shutil.copytree(demo_bundle, assets / "bundle")
        manifest = assets / "bundle" / "manifest.json"
        text = manifest.read_text()
        manifest.write_text(change(text))
        assert manifest.read_text() != text
        case = _write_case(folder / name, app, "BrokenBundleTest", assets, expected=expected)
        cases[name] = case
    for name, (assets, said_by_python) in classifiers.items():
        wanted = {"expected": said_by_python, "case": name}
        cases[name] = _write_case(folder / name, app, "ClassifierTest", assets, **wanted)
    several = [demo_bundle, classifiers["classifier"][0] / "bundle"]
    both = render(several, folder / "both", runtimes=("tflite", "mnn")).main / "assets"
    cases["several"] = _write_case(folder / "several", app, "SeveralBundlesTest", both)
    done = _run_tests(app.tests, app.runtime, cases.values(), frames, folder, *UNVERIFIED)
    said = {name: path / "result.txt" for name, path in cases.items()}
    return {name: path.read_text() if path.exists() else done for name, path in said.items()}


UNVERIFIED = ("-XX:+UnlockDiagnosticVMOptions", "-XX:-BytecodeVerificationRemote")
"""What javac has written is right, and Android is large."""


def _run_tests(
    tests: Path,
    runtime: list[Path],
    cases: Iterable[Path],
    frames: Path,
    folder: Path,
    *flags: str,
) -> str:
    """Run cases in one JVM, and give the end of what it said."""
    (instrumented,) = jvm.libraries("android-instrumented")
    options = {
        "robolectric.offline": "true",
        "robolectric.dependency.dir": str(instrumented.parent),
        "javacpp.platform": "linux-x86_64",
        "frames": str(frames),
        "photo": str(frames / "photo.png"),
        "python": sys.executable,
        "mnn.server": str(HERE / "desktop" / "mnn_server.py"),
        "java.library.path": str(_mnn_libraries(folder / "libraries")),
        "screenshots": os.environ.get("MOBILEQ_SCREENSHOTS", ""),
    }
    done = subprocess.run(
        [
            *(jvm.tool("java"), *jvm.SHORT_LIVED, "-Xmx2g", *flags),
            *(OPENED.format(name) for name in ("lang", "io", "util", "nio", "net")),
            *(f"-D{name}={value}" for name, value in options.items()),
            *("-cp", jvm.class_path([tests, *runtime])),
            *(f"{NAMESPACE}.AppTests", *map(str, cases)),
        ],
        capture_output=True,
        text=True,
    )
    return done.stdout[-4000:] + done.stderr[-4000:]


def _mnn_libraries(folder: Path) -> Path:
    """Files that load under the names of MNN's; its functions are in `desktop/`."""
    folder.mkdir()
    for name in ("MNN", "mnncore"):
        shutil.copy(jvm.jdk() / "lib" / "libjsig.so", folder / f"lib{name}.so")
    return folder


def _write_case(
    folder: Path, app: App, test: str, assets: Path | None = None, **properties: str
) -> Path:
    """Tells `AppTests` what to run, and Robolectric where the app's resources are."""
    built = Project(app.project.path, folder)
    folder.mkdir()
    said = link_resources(built, assets=assets)
    assert not said, said
    lines = {
        "test": f"{NAMESPACE}.{test}",
        "android_resource_apk": folder / "resources.apk",
        "android_merged_manifest": folder / "AndroidManifest.xml",
        "android_merged_assets": assets or app.project.main / "assets",
        "android_custom_package": NAMESPACE,
        **properties,
    }
    (folder / "case.properties").write_text(
        "".join(f"{name}={value}\n" for name, value in lines.items())
    )
    return folder


@pytest.mark.parametrize("name", SCREEN_TESTS)
def test_the_app_finds_and_draws_what_python_finds(name: str, results: dict[str, str]):
    written = (HERE / "app" / "mobileq" / "app" / f"{name}.java").read_text()
    count = written.count("@Test")
    assert results[name] == f"{count} ran", results[name][:8000]


@pytest.mark.parametrize("name", ["classifier", "heads"])
def test_a_classifier_lists_what_python_says_and_has_no_sliders(name: str, results: dict[str, str]):
    assert results[name] == "3 ran", results[name][:4000]


def test_several_bundles_are_one_list_and_each_is_shown_in_its_own_way(results: dict[str, str]):
    assert results["several"] == "1 ran", results["several"][:4000]


@pytest.mark.parametrize("name", BROKEN)
def test_a_manifest_that_does_not_fit_is_a_sentence_on_the_screen(
    name: str, results: dict[str, str]
):
    assert results[name] == "1 ran", results[name][:4000]


@pytest.fixture(scope="module")
def released(app: App, camera_stubs: Path) -> Path:
    """The app's classes as R8 shrinks and renames them for a release, for a desktop's JVM."""
    output = app.project.work / "released"
    assert _shrink(app, camera_stubs, output, "--classfile") == ""
    return output


def _shrink(app: App, camera_stubs: Path, output: Path, *options: str) -> str:
    rules = [app.project.path / "app/proguard-rules.pro", app.project.work / "resources.pro"]
    classes = [camera_stubs, *jvm.libraries("tflite", "androidx", "androidx-runtime")]
    return dexing.r8(output, app.classes, classes, rules, *options)


def test_r8_drops_and_renames_all_but_what_is_called_by_name(released: Path):
    names = {path.relative_to(released).as_posix() for path in released.rglob("*.class")}
    assert "mobileq/app/MainActivity.class" in names
    assert "com/taobao/android/mnn/MNNNetNative.class" in names
    assert not [name for name in names if "mobileq/core" in name]


def test_the_release_build_starts_and_finds_what_python_finds(
    app: App, released: Path, demo_bundle: Path, frames: Path, tmp_path: Path
):
    runtime = [released, *(path for path in app.runtime if path not in app.classes)]
    found = json.loads((frames / "tflite-fp32-0.json").read_text())["detections"][0]
    labels = read_bundle(demo_bundle).manifest.model.labels
    counts = Counter(labels[int(each[5])] for each in found)
    expected = "Picture with " + ", ".join(f"{n} \u00d7 {name}" for name, n in counts.items())
    case = _write_case(tmp_path / "case", app, "ReleaseTest", expected=expected)
    said = _run_tests(app.tests, runtime, [case], frames, tmp_path)
    result = case / "result.txt"
    assert result.exists(), said
    assert result.read_text() == "1 ran", result.read_text()[:4000]


DEX_LIMIT = 160_000
RESOURCES_LIMIT = 40_000
"""Bytes in an APK, the dex before it is zipped: what is neither model nor library."""


def test_what_the_app_adds_to_an_apk_is_small(app: App, camera_stubs: Path, tmp_path: Path):
    assert _shrink(app, camera_stubs, tmp_path, "--min-api", "24") == ""
    dex = (tmp_path / "classes.dex").stat().st_size
    with zipfile.ZipFile(app.project.work / "resources.apk") as linked:
        files = [each for each in linked.infolist() if not each.filename.startswith("assets/")]
    resources = sum(each.compress_size for each in files)
    assert dex < DEX_LIMIT
    assert 10_000 < resources < RESOURCES_LIMIT
