"""A task that mobileq does not know comes in by a folder and a name, and all commands know it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

import mobileq
from mobileq import tasks
from mobileq.page import HtmlPage
from mobileq.tasks import base

ROOMS = Path(__file__).resolve().parents[1] / "tasks" / "rooms"
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a new task has to say to the others."""
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(ROOMS)])
    monkeypatch.setattr(base, "ROOMS", ("toy", *base.ROOMS))


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """x [1, 3, 16, 16] -> how red, green, blue and white it is, [1, 4]."""
    made = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,3,16,16] x) => (float[1,4] y) {
            a = Conv<pads = [1, 1, 1, 1]>(x, w)
            b = GlobalAveragePool(a)
            y = Flatten(b)
        }"""
    )
    weights = np.zeros((4, 3, 3, 3), np.float32)
    weights[:, :, 1, 1] = [[4, -2, -2], [-2, 4, -2], [-2, -2, 4], [2, 2, 2]]
    made.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    path = tmp_path / "colours.onnx"
    onnx.save(made, path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """24 of the four colours, and colours.json beside them."""
    draw = np.random.default_rng(0)
    folder, known = tmp_path / "pictures", {}
    folder.mkdir()
    for at in range(24):
        noise = draw.integers(-40, 40, (20, 20, 3))
        image = np.clip(np.int64(COLOURS[at % 4]) * 0.7 + 30 + noise, 0, 255).astype(np.uint8)
        name = f"{at:02}.png"
        assert cv2.imwrite(str(folder / name), image[:, :, ::-1])
        known[name] = at % 4
    (tmp_path / "colours.json").write_text(json.dumps(known))
    return folder


def test_a_new_task_goes_through_convert_and_validate(
    classifier: Path, pictures: Path, tmp_path: Path
) -> None:
    labels, bundle, heard = tmp_path / "colours.json", tmp_path / "bundle", mobileq.Silent()
    manifest = mobileq.convert(
        *(classifier, bundle),
        precision="fp32,int8",
        calib=pictures,
        annotations=labels,
        eval_images=pictures,
        budget=0.1,
        progress=heard,
    )
    measured = manifest.measurements["tflite-int8"]
    assert measured["agreement_top1"] == 1.0
    assert measured["lost_top1"] == 0.0
    page = HtmlPage()
    manifest.tell(page)
    assert "taken for the truth (agreement_top1)" in page.html
    golden = json.loads((bundle / "golden" / "golden.json").read_text())
    assert golden["colours"] == [0]
    assert gzip.decompress((bundle / "golden" / golden["outputs"][0]["file"]).read_bytes())

    found = mobileq.validate(bundle, pictures, labels, runs=1, progress=heard)
    assert found.task == "toy"
    assert [each.accuracy for each in found.scores] == [{"top1": 1.0}] * 3
    assert found.scores[2].agreement == {"top1": 1.0, "reference_count": 24}
    assert mobileq.read_bundle(bundle).manifest.measurements["tflite-int8"]["top1"] == 1.0
    page = HtmlPage()
    found.tell(page)
    assert "alike" in page.html
    assert "24 images (colours.json)" in page.html
    words = f"{page.html} {heard.notices}".lower()
    assert not [word for word in ("detect", "object", "map50", "boxes") if word in words], words


def test_a_new_task_is_measured_group_by_group(classifier: Path, pictures: Path) -> None:
    found = mobileq.sensitivity(classifier, pictures, progress=mobileq.Silent())
    assert (found.task, found.error_of) == ("toy", "probabilities")
    assert [group.agreement for group in found.groups] == [1.0] * len(found.groups)
    page = HtmlPage()
    found.tell(page)
    assert "agreement: top-1 of the colours, the float model" in page.html
    assert "error: noise of the probabilities" in page.html


def test_a_new_task_is_told_and_drawn(classifier: Path, pictures: Path, tmp_path: Path) -> None:
    drawn, white = tmp_path / "drawn", sorted(pictures.iterdir())[3]
    found = mobileq.predict(classifier, white, draw_to=drawn, progress=mobileq.Silent())
    assert str(found).splitlines()[1].split() == ["03.png", "colour", "3"]
    assert cv2.imread(str(drawn / "03.png")).mean() == 180.0
