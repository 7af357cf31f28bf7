"""A runner on a Java of this machine, and bundles for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import onnx
import pytest

from mobileq.__main__ import main
from mobileq.device.runner.build import build_kit
from mobileq.device.runner.client import RunnerClient
from mobileq.device.runner.kit import Kit
from mobileq.device.runner.process import RunnerProcess
from mobileq.device.runner.remote import RunnerPlace
from tests.android import jvm
from tests.android.bundles import colours_model
from tests.device.runner import java

DEMO = jvm.ROOT / "assets" / "demo"


@pytest.fixture(scope="session")
def runner_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runner, compiled against Android and TFLite."""
    output = tmp_path_factory.mktemp("runner")
    said = java.compile_runner(output)
    assert not said, said
    return output


@pytest.fixture(scope="session")
def command(runner_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """What starts the runner with real TFLite."""
    if sys.platform != "linux":
        pytest.skip("desktop TFLite is fetched for Linux only")
    output = tmp_path_factory.mktemp("desktop")
    said = java.compile_desktop(output)
    assert not said, said
    return java.java_command(runner_classes, output)


def converted(
    tmp_path_factory: pytest.TempPathFactory,
    cache_folder: Path,
    *arguments: object,
    target: str = "tflite",
) -> Path:
    output = tmp_path_factory.mktemp("converted") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOBILEQ_CACHE_DIR", str(cache_folder))
        patch.setenv("MOBILEQ_LOG_DIR", str(tmp_path_factory.mktemp("logs")))
        wanted = ["convert", *map(str, arguments), "-o", str(output)]
        assert main([*wanted, "--target", target, "--no-search"]) == 0
    return output


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, cache_folder: Path) -> Path:
    """The demo detector, fp32 and int8 with integers at both ends."""
    pictures = DEMO / "calibration" / "images"
    return converted(
        tmp_path_factory,
        cache_folder,
        *(DEMO / "demo.onnx", "--calib", pictures, "--calib-count", 4),
        *("--precision", "fp32,int8", "--io", "int8", "--head", "raw"),
    )


@pytest.fixture(scope="session")
def mnn_bundle(tmp_path_factory: pytest.TempPathFactory, cache_folder: Path) -> Path:
    """The demo detector for MNN, fp32."""
    model = DEMO / "demo.onnx"
    return converted(tmp_path_factory, cache_folder, model, "--precision", "fp32", target="mnn")


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory, cache_folder: Path) -> Path:
    """A model that tells what colour a picture has, fp32."""
    model = colours_model()
    path = tmp_path_factory.mktemp("colours") / "colours.onnx"
    onnx.save(model, path)
    return converted(tmp_path_factory, cache_folder, path, "--precision", "fp32")


@pytest.fixture
def place(command: tuple[str, ...], bundle: Path) -> RunnerPlace:
    """Where the demo runs."""
    return java.place_of(command, bundle)


@pytest.fixture
def client(command: tuple[str, ...], bundle: Path) -> Iterator[RunnerClient]:
    """A runner that has nothing loaded."""
    with closing(RunnerClient(RunnerProcess((*command, str(bundle))))) as client:
        yield client


@pytest.fixture(scope="session")
def archives() -> list[Path]:
    """TensorFlow Lite's Android libraries, with their GPU delegate."""
    (first, *_) = jvm.libraries("tflite")
    return sorted(first.parent.glob("*.aar"))


@pytest.fixture(scope="session")
def r8() -> Path:
    """What D8 is in."""
    (jar,) = jvm.libraries("r8")
    return jar


@pytest.fixture(scope="session")
def kit(archives: list[Path], r8: Path, tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """The runner, made; and TensorFlow Lite's native libraries."""
    made, is_new = build_kit(tmp_path_factory.mktemp("kit") / "runner", archives=archives, r8=r8)
    assert is_new
    return made
