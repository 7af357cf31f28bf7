"""LiteRT 2 in the app: held against declarations of its API, and run on a desktop's TFLite."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import msgspec
import pytest

from mobileq.bundle import BundleWriter
from mobileq.manifest import BundleManifest, RunInfo, SourceInfo
from mobileq.spec import Artifact, PreprocessSpec, QuantRecipe
from tests.android import jvm
from tests.android.class_references import Library, missing_members
from tests.android.rendered import Project, compile_app, link_resources, render
from tests.targets.tiny import kept, make
from tests.targets.tiny_models import MODELS, weights

HERE = Path(__file__).parent
FILES = {"bytes": [("fp32", "float32"), ("int8", "uint8")], "wide": [("fp32", "float32")]}
GRAPHS = {
    "bytes": "float[1,6,8,8] y",
    "wide": "float[1,6,8,8] y, int64[1,1,8,8] best, int32[1,1,8,8] narrow",
}
ENDS = {
    "bytes": "",
    "wide": "best = ArgMax<axis=1>(y)\nnarrow = Cast<to=6>(best)",
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of each of FILES a bundle whose files are real."""
    folder = tmp_path_factory.mktemp("litert-bundles")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOBILEQ_LOG_DIR", str(folder / "logs"))
        for name, outputs in GRAPHS.items():
            graph = f"g (float[1,3,8,8] x) => ({outputs}) {{ y = Conv(x, w)\n{ENDS[name]} }}"
            patch.setitem(MODELS, name, (graph, {"w": weights(6, 3, 1, 1)}))
            (folder / "made" / name).mkdir(parents=True)
            _write_bundle(folder / name, name, folder / "made" / name)
    return folder


def _write_bundle(folder: Path, name: str, scratch: Path) -> None:
    model = make(name, scratch)
    spec = msgspec.structs.replace(model.spec, preprocess=PreprocessSpec(width=8, height=8))
    with BundleWriter(folder) as writer:
        artifacts = []
        for precision, io in FILES[name]:
            job = model.job(scratch, precision, io)
            converted = kept().convert(job)
            content = job.output.read_bytes()
            path = f"models/{name}-{precision}.tflite"
            writer.add_bytes(path, content)
            artifacts.append(
                Artifact(
                    target="tflite",
                    precision=precision,
                    path=path,
                    sha256=hashlib.sha256(content).hexdigest(),
                    size_bytes=len(content),
                    inputs=converted.inputs,
                    outputs=converted.outputs,
                    recipe=QuantRecipe(precision=precision),
                )
            )
        writer.add_bytes("labels.txt", b"")
        source = SourceInfo(file_name="m.onnx", sha256="0" * 64, opset=17, size_bytes=1)
        run = RunInfo(created="2026-01-01T00:00:00+00:00")
        writer.finish(
            BundleManifest(model=spec, source=source, artifacts=tuple(artifacts), run=run)
        )


@pytest.fixture(scope="module")
def project(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = render(bundle, tmp_path_factory.mktemp("litert"), litert="2", delegate="npu")
    assert not link_resources(made)
    return made


@pytest.fixture(scope="module")
def compiled(project: Project, core_classes: Path, camera_stubs: Path) -> Path:
    said = compile_app(project, core_classes, camera_stubs)
    assert not said, said
    return project.work / "classes"


def test_android_7_has_everything_that_is_called(compiled: Path):
    assert not missing_members(compiled, Library(jvm.libraries("android-24"), jvm.jdk()))


def test_error_prone_finds_nothing(
    project: Project, compiled: Path, core_classes: Path, camera_stubs: Path, tmp_path: Path
):
    """In what the app of the other runtimes lacks, which is looked through with them."""
    libraries = jvm.libraries("android", "tflite", "androidx")
    files = [path for path in jvm.sources(project.main / "java") if "Litert" in Path(path).name]
    assert len(files) > 1
    classes = [compiled, core_classes, camera_stubs, *libraries]
    assert jvm.error_prone(tmp_path, files, classes) == ""


WRONG = {
    "LitertRuntime.java": ("getAvailableAccelerators()", "availableAccelerators()"),
    "LitertBackend.java": ("buffer.readInt8()", "buffer.readUInt8()"),
}


def test_wrong_calls_do_not_compile(project: Project, core_classes: Path, camera_stubs: Path):
    changed = {}
    for file, (there, instead) in WRONG.items():
        (path,) = project.main.rglob(file)
        text = path.read_text()
        assert there in text
        changed[file] = text.replace(there, instead)
    said = compile_app(project, core_classes, camera_stubs, changed=changed)
    for file in WRONG:
        assert re.search(rf"{file}:\d+: error: ", said)


@pytest.mark.skipif(sys.platform != "linux", reason="desktop TFLite is fetched for Linux only")
def test_files_give_what_the_interpreter_gives(
    bundles: Path,
    compiled: Path,
    core_classes: Path,
    camera_stubs: Path,
    desktop_runtimes: Path,
    tmp_path: Path,
):
    libraries = jvm.libraries("desktop-tflite", "tflite", "android")
    classes = [desktop_runtimes, compiled, core_classes, camera_stubs, *libraries]
    tests = tmp_path / "tests"
    with_junit = [*classes, *jvm.libraries("junit")]
    said = jvm.javac(tests, jvm.sources(HERE / "litert"), with_junit, "-Xlint:none")
    assert not said, said
    options = f"-Dbundles={bundles}", "-Djavacpp.platform=linux-x86_64"
    done = jvm.junit(classes, tests, *options)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "[         5 tests successful" in done.stdout
