"""`mobileq demo`, also where there is no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from . import models
from .commands import Cli, command_line, fingerprint, names_in, process

PRECISIONS = ("fp32", "fp16", "dynamic", "int8", "int16x8")


# An audit hook in every Python process that is started: what it sees goes into a file.
WATCH = """
import os, sys
def watch(event, arguments):
    if event.startswith("socket.") and event not in ("socket.gethostname",):
        with open(os.environ["SOCKET_LOG"], "a") as log:
            log.write(f"{sys.argv} {event} {arguments}\\n")
sys.addaudithook(watch)
with open(os.environ["SOCKET_LOG"] + ".processes", "a") as log:
    log.write(f"{os.getpid()}\\n")
"""


class Watched:
    """What Python processes with this environment do, and their children."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(WATCH)
        self._log = folder / "sockets.txt"
        self.environment = {**os.environ, "PYTHONPATH": str(folder), "SOCKET_LOG": str(self._log)}

    @property
    def processes(self) -> list[str]:
        """The ids of all that were started."""
        return self._log.with_suffix(".txt.processes").read_text().split()

    @property
    def sockets(self) -> str:
        """A line for each thing that was done with a socket."""
        return self._log.read_text() if self._log.exists() else ""


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "hooks")


@pytest.mark.slow
def test_demo_converts_and_validates_without_network(
    cli: Cli, watched: Watched, tmp_path: Path
) -> None:
    isolated = ("unshare", "--net", "--map-root-user")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*isolated, "true"], capture_output=True).returncode != 0
    ):
        pytest.skip("this system does not let us make a network namespace")
    output = tmp_path / "demo-bundle"
    done = subprocess.run(
        [*isolated, *command_line("demo", "-o", output, "--json")],
        capture_output=True,
        text=True,
        timeout=600,
        env=watched.environment,
    )
    assert done.returncode == 0, done.stderr
    assert len(watched.processes) > 1, "the children were watched too"
    assert watched.sockets == ""
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert document["notices"] == [
        "int16x8 runs on TFLite's reference kernels only, many times slower than float32."
    ], "who looks for the first time needs no more notes"
    names = [f"tflite-{precision}" for precision in PRECISIONS]
    assert [score["name"] for score in document["validation"]["scores"]] == ["onnx", *names]
    assert names_in(output / "models") == sorted(f"demo-{p}.tflite" for p in PRECISIONS)
    by_name = {s["name"]: s["accuracy"]["map50"] for s in document["validation"]["scores"]}
    assert by_name["onnx"] > 0.9
    assert by_name["tflite-fp16"] == pytest.approx(by_name["onnx"], abs=0.001)
    assert cli("verify", output).code == 0


def test_demo_does_not_replace_another_bundle(cli: Cli, bundle: Path) -> None:
    path = bundle / "manifest.json"
    path.write_text(path.read_text().replace('"demo.onnx"', '"mine.onnx"'))
    before = fingerprint(bundle)
    said = cli.fails(2, "demo", "-o", bundle)
    assert f"{bundle} is a bundle of mine.onnx. Try: Choose another --output." in said
    assert fingerprint(bundle) == before


def test_demo_does_not_replace_other_folders(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    assert "is not a bundle, so it is not replaced." in cli.fails(2, "demo", "-o", folder)
    assert names_in(folder) == ["mine.txt"]


@pytest.mark.slow
def test_no_other_command_opens_a_socket(
    demo: Path, bundle: Path, watched: Watched, tmp_path: Path
) -> None:
    model, pictures = demo / "demo.onnx", tmp_path / "pictures"
    pictures.mkdir()
    shutil.copy(demo / "validation" / "images" / "000.jpg", pictures)
    commands = [
        ("inspect", model),
        ("inspect", bundle / "models" / "demo-fp16.tflite"),
        ("verify", bundle),
        ("detect", bundle, pictures, "--coco", tmp_path / "results.json"),
        ("validate", bundle, "--images", pictures, "--annotations", demo / "validation.json"),
    ]
    for command in commands:
        done = process(*command, env=watched.environment)
        assert done.returncode == 0, done.stderr
    assert len(watched.processes) > len(commands), "the children were watched too"
    assert watched.sockets == ""


def test_convert_opens_no_socket(demo: Path, watched: Watched, tmp_path: Path) -> None:
    model, output = models.cube(tmp_path / "cube.onnx"), tmp_path / "bundle"
    calibration = ("--calib", demo / "calibration" / "images", "--calib-count", 2)
    options = ("--precision", "fp32,int8", "--no-cache")
    done = process("convert", model, "-o", output, *calibration, *options, env=watched.environment)
    assert done.returncode == 0, done.stderr
    assert names_in(output / "models") == ["cube-fp32.tflite", "cube-int8.tflite"]
    assert len(watched.processes) > 4, "the converter, the quantizer and the runners too"
    assert watched.sockets == ""


def test_the_watch_sees_sockets(watched: Watched) -> None:
    code = "import socket; socket.socket().close()"
    subprocess.run([sys.executable, "-c", code], env=watched.environment, check=True)
    assert "socket.__new__" in watched.sockets
