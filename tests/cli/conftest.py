"""The demo detector, one bundle of it, and caches and logs that belong to the tests alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from mobileq.__main__ import main
from mobileq.logfile import log_path, logger
from tests.device.fixtures import adb_server, phones

from .commands import Cli

__all__ = ["adb_server", "phones"]


def _forget_log() -> None:
    if logger.cache_info().currsize:
        for handler in logger().handlers:
            handler.close()
        logger().handlers.clear()
    logger.cache_clear()
    log_path.cache_clear()


@pytest.fixture(autouse=True)
def own_folders(
    tmp_path: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Nothing of the user's is read or written, in this process and in those it starts."""
    monkeypatch.setenv("MOBILEQ_CACHE_DIR", str(cache_folder))
    monkeypatch.setenv("MOBILEQ_LOG_DIR", str(tmp_path / "logs"))
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    _forget_log()
    yield
    _forget_log()


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs commands in this process."""
    return Cli(capsys)


@pytest.fixture(scope="session")
def demo() -> Path:
    """assets/demo: a trained detector of 4 classes at 160x160, and labelled pictures."""
    return Path(__file__).resolve().parents[2] / "assets" / "demo"


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    """A folder of pictures in which there is nothing."""
    folder = tmp_path / "grey"
    folder.mkdir()
    for shade in (60, 90, 120, 150):
        cv2.imwrite(str(folder / f"{shade}.png"), np.full((120, 160, 3), shade, np.uint8))
    return folder


@pytest.fixture(scope="session")
def made_bundle(demo: Path, cache_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo detector as fp32, fp16 and dynamic; do not change it."""
    output = tmp_path_factory.mktemp("made") / "demo-bundle"
    arguments = ["convert", str(demo / "demo.onnx"), "-o", str(output)]
    arguments += ["--calib", str(demo / "calibration" / "images"), "--calib-count", "4"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOBILEQ_CACHE_DIR", str(cache_folder))
        patch.setenv("MOBILEQ_LOG_DIR", str(tmp_path_factory.mktemp("logs")))
        assert main(arguments) == 0
    _forget_log()
    return output


@pytest.fixture
def bundle(made_bundle: Path, tmp_path: Path) -> Path:
    """A copy of that bundle for one test."""
    return Path(shutil.copytree(made_bundle, tmp_path / "bundle"))
