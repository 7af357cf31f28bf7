"""Frames a second through adb to the runner and back, on the tests' device on loopback.

    python benchmarks/runner_speed.py          # wants adb, a JDK 17, and Maven for the libraries

The model is as small as one can be, so that what is timed is the way there and back: packets, adb's
client and server, the device's shell, the runner's pipes, and preprocessing. 640 x 640 RGBA is
1.6 MB a frame.
"""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import onnx.parser

from mobileq.__main__ import main as mobileq
from mobileq.bundle import read_bundle
from mobileq.device.adb import find_adb
from mobileq.device.listing import chosen
from mobileq.device.phone import Phone
from mobileq.device.runner.build import build_kit
from mobileq.device.runner.phone import place_on
from mobileq.device.runner.remote import RemoteRunner
from mobileq.progress import Silent
from mobileq.workflows.push import push
from tests.android import jvm
from tests.device.loopback import LoopbackDevice
from tests.device.runner import java
from tests.device.runner.test_on_phone import WITH_RUNNER
from tests.device.server import PrivateServer

SIDE = 640
FRAMES = 50
ROUNDS = 4
MODEL = """<ir_version: 8, opset_import: ["": 17]> small (float[1,3,32,32] x) => (float[1,3] y) {
    p = GlobalAveragePool(x)
    f = Flatten(p)
    y = Softmax(f)
}"""


def main() -> None:
    """Print a line for each round; the first has a cold JVM."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        onnx.save(onnx.parser.parse_model(MODEL), folder / "small.onnx")
        bundle = folder / "small"
        wanted = ["convert", str(folder / "small.onnx"), "-o", str(bundle)]
        assert mobileq([*wanted, "--target", "tflite", "--precision", "fp32"]) == 0
        server = PrivateServer(folder)
        os.environ.update(server._own)
        with closing(LoopbackDevice(folder / "device")) as device:
            try:
                server.adb("connect", device.serial)
                run(folder, bundle, device)
            finally:
                server.adb("kill-server")


def run(folder: Path, bundle: Path, device: LoopbackDevice) -> None:
    """Bring all onto the device, and time it."""
    for output, compile_there in (
        (folder / "runner", java.compile_runner),
        (folder / "desktop", java.compile_desktop),
    ):
        said = compile_there(output)
        assert not said, said
    command = java.java_command(folder / "runner", folder / "desktop")
    device.sandbox.install("app_process", WITH_RUNNER.format(command=shlex.join(command)))
    (first, *_), (r8,) = jvm.libraries("tflite"), jvm.libraries("r8")
    kit, _ = build_kit(folder / "kit", archives=sorted(first.parent.glob("*.aar")), r8=r8)
    pushed = push(bundle, serial=device.serial, progress=Silent())
    phone = Phone(chosen(find_adb(), device.serial))
    place = place_on(phone, kit, pushed.folder, Silent())
    (artifact,) = read_bundle(bundle).manifest.artifacts
    frame = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 4), dtype=np.uint8)
    with closing(RemoteRunner(place, artifact, threads=1)) as runner:
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for _ in range(FRAMES):
                runner.analyse(frame)
            print(f"{FRAMES / (time.perf_counter() - start):.1f} frames a second")


if __name__ == "__main__":
    main()
