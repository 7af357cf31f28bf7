"""Published models in the Java core: what it finds in real outputs is what Python finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobileq.__main__ import main
from mobileq.bundle import read_bundle
from mobileq.manifest import BundleManifest
from mobileq.targets.tflite.interpreter import make_interpreter
from mobileq.tasks.detect.nms import Thresholds
from mobileq.tasks.detect.postprocess import postprocess
from mobileq.vision.image_file import read_image
from mobileq.vision.preprocess import preprocess, quantize
from tests.android import jvm
from tests.android.golden_folder import View, as_seen, boxes, write_folder

pytestmark = [pytest.mark.real_model, pytest.mark.slow, pytest.mark.usefixtures("children")]


@pytest.mark.parametrize("name", ["nanodet", "yolov5n", "yolov8n_320_deq", "yolox_nano"])
def test_the_core_finds_what_python_finds(
    name: str,
    data_folder: Path,
    core_classes: Path,
    core_tests: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("MOBILEQ_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MOBILEQ_LOG_DIR", str(tmp_path / "logs"))
    bundle, cases = tmp_path / "bundle", tmp_path / "cases"
    arguments = ["--calib", str(data_folder / "coco128" / "images"), "--calib-count", "2"]
    arguments += ["--precision", "fp32,int8", "--io", "int8", "--no-search"]
    model = data_folder / "models" / f"{name}.onnx"
    assert main(["convert", str(model), "-o", str(bundle), *arguments]) == 0
    manifest = read_bundle(bundle).manifest
    assert [artifact.recipe.head for artifact in manifest.artifacts] == ["decoded", "raw"]
    for artifact in range(2):
        for picture, rotation in (("bus.jpg", 0), ("zidane.jpg", 90)):
            upright = read_image(data_folder / "images" / picture)
            frame = np.ascontiguousarray(np.rot90(upright, rotation // 90))
            case = cases / f"{manifest.artifacts[artifact].precision}-{rotation}"
            write_case(case, bundle, manifest, artifact, frame, rotation)
    done = jvm.junit([core_classes], core_tests, f"-Dgolden={cases}", only="GoldenTest")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def write_case(
    folder: Path,
    bundle: Path,
    manifest: BundleManifest,
    index: int,
    frame: np.ndarray,
    rotation: int,
) -> None:
    """What the interpreter itself takes and gives, and what Python makes of it."""
    artifact = manifest.artifacts[index]
    decode = artifact.decode or manifest.model.decode
    assert decode is not None
    assert manifest.model.preprocess is not None
    tensor, transform = preprocess(frame, manifest.model.preprocess, rotation=rotation)
    (input_spec,) = artifact.inputs
    stored = tensor.transpose(input_spec.permutation) if input_spec.permutation else tensor
    if input_spec.quant:
        stored = quantize(stored, input_spec.quant, input_spec.dtype)
    stored = np.ascontiguousarray(stored)
    interpreter, _ = make_interpreter(bundle / artifact.path, threads=2)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], stored)
    interpreter.invoke()
    outputs = [
        interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()
    ]
    seen = {
        spec.name: as_seen(spec, output)
        for spec, output in zip(artifact.outputs, outputs, strict=True)
    }
    found = postprocess(decode, seen, transform, Thresholds.display(decode))
    assert len(found) > 1
    height, width = frame.shape[:2]
    view = View(width, height, 64, rotation, (0, 0, width, height))
    write_folder(folder, manifest, frame, view, stored, outputs, boxes(found), index)
