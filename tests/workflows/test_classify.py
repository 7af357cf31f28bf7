"""A classifier through `convert` and `validate`: judged by the best class of each picture."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

import mobileq
from mobileq.page import HtmlPage
from mobileq.spec.classes import ClassesSpec

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """x [2, 3, 16, 16] -> logits of four colours, [2, 4, 1, 1]."""
    made = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[2,3,16,16] x) => (float[2,4,1,1] y) {
            a = Conv<pads = [1, 1, 1, 1]>(x, w)
            y = GlobalAveragePool(a)
        }"""
    )
    weights = np.zeros((4, 3, 3, 3), np.float32)
    weights[:, :, 1, 1] = [[4, -2, -2], [-2, 4, -2], [-2, -2, 4], [2, 2, 2]]
    made.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    onnx.helper.set_model_props(made, {"names": str(list(COLOURS)), "task": "classify"})
    path = tmp_path / "colours.onnx"
    onnx.save(made, path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """24 of the four colours, in a folder each; one of the red ones is in the white folder."""
    draw = np.random.default_rng(0)
    for at in range(24):
        name = list(COLOURS)[at % 4]
        noise = draw.integers(-40, 40, (20, 20, 3))
        image = np.clip(np.int64(COLOURS[name]) * 0.7 + 30 + noise, 0, 255).astype(np.uint8)
        path = tmp_path / "pictures" / ("white" if at == 4 else name) / f"{at:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), image[:, :, ::-1])
    return tmp_path / "pictures"


def test_a_classifier_is_converted_and_validated_by_its_best_classes(
    classifier: Path, pictures: Path, tmp_path: Path
) -> None:
    bundle, heard = tmp_path / "bundle", mobileq.Silent()
    manifest = mobileq.convert(
        *(classifier, bundle),
        precision="fp32,int8",
        calib=pictures,
        annotations=pictures,
        eval_images=pictures,
        budget=0.1,
        progress=heard,
    )
    assert manifest.model.classes == ClassesSpec(class_count=4)
    assert manifest.measurements["tflite-int8"]["agreement_top1"] == 1.0
    assert manifest.measurements["tflite-int8"]["lost_top1"] == 0.0
    golden = json.loads((bundle / "golden" / "golden.json").read_text())
    (best,) = golden["classes"]
    assert best[0]["class_id"] == 2  # pictures/blue comes first
    assert sum(each["score"] for each in best) == pytest.approx(1.0)

    found = mobileq.validate(bundle, pictures, pictures, runs=1, progress=heard)
    assert found.task == "classify"
    for each in found.scores:
        assert each.accuracy is not None
        assert each.accuracy["top1"] == pytest.approx(23 / 24)
        assert each.accuracy["top1_se"] == pytest.approx((23 / 24 / 24 / 24) ** 0.5)
        assert each.accuracy["top5"] == 1.0
    assert found.scores[2].agreement is not None
    assert found.scores[2].agreement["top1"] == 1.0
    assert found.scores[2].agreement["reference_count"] == 24
    measured = mobileq.read_bundle(bundle).manifest.measurements["tflite-int8"]
    assert measured["top1"] == pytest.approx(23 / 24, abs=1e-4)
    page = HtmlPage()
    found.tell(page)
    assert "0.9583 ±0.0408" in page.html

    alone = mobileq.validate(bundle, pictures, runs=1, progress=heard)
    assert alone.scores[2].accuracy is None
    assert alone.scores[2].agreement is not None
    assert alone.scores[2].agreement["reference_count"] == 24


def test_finished_tensors_are_answered_as_well(
    classifier: Path, pictures: Path, tmp_path: Path
) -> None:
    mobileq.convert(classifier, tmp_path / "b", precision="fp32", progress=mobileq.Silent())
    drawn = np.random.default_rng(0).random((3, 2, 3, 16, 16), np.float32)
    for at, tensor in enumerate(drawn):
        np.savez(tmp_path / f"{at}.npz", x=tensor)
    (tmp_path / "tensors").mkdir()
    for at in range(3):
        (tmp_path / f"{at}.npz").rename(tmp_path / "tensors" / f"{at}.npz")
    found = mobileq.validate(tmp_path / "b", tmp_path / "tensors", runs=1)
    assert found.scores[1].agreement is not None
    assert found.scores[1].agreement["reference_count"] == 6
    assert found.scores[1].agreement["top1"] == 1.0
