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

pytestmark = pytest.mark.usefixtures("children")

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
    report = json.loads((bundle / "report.json").read_text())
    # A dozen classes that are right or not tell nothing: files were chosen by the error.
    trials = report["plans"]["tflite-int8"]["trials"]
    assert all(trial["few_objects"] for trial in trials)
    assert trials[-1]["repairs"][-1] == "weight-shift"
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


@pytest.fixture
def two_heads(tmp_path: Path) -> Path:
    """x [1, 3, 16, 16] -> `colour` [1, 3], logits, and `light` [1, 2], probabilities."""
    made = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,3,16,16] x) => (float[1,3] colour, float[1,2] light) {
            a = Conv<pads = [1, 1, 1, 1]>(x, w)
            b = GlobalAveragePool(a)
            f = Flatten(b)
            colour = Slice(f, zero, three, one)
            g = Slice(f, three, five, one)
            light = Softmax(g)
        }"""
    )
    weights = np.zeros((5, 3, 3, 3), np.float32)
    weights[:, :, 1, 1] = [[6, -3, -3], [-3, 6, -3], [-3, -3, 6], [-3, -3, -3], [3, 3, 3]]
    made.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    for name, number in (("zero", 0), ("one", 1), ("three", 3), ("five", 5)):
        made.graph.initializer.append(numpy_helper.from_array(np.array([number]), name))
    path = tmp_path / "heads.onnx"
    onnx.save(made, path)
    (tmp_path / "heads.toml").write_text(
        """labels = ["red", "green", "blue", "dark", "bright"]
        [classes]
        class_count = 5
        heads = [
            { name = "colour", output = "colour", class_count = 3 },
            { name = "light", output = "light", class_count = 2, values = "probabilities" },
        ]"""
    )
    return path


def test_each_head_has_classes_and_scores_of_its_own(
    two_heads: Path, pictures: Path, tmp_path: Path
) -> None:
    bundle, spec = tmp_path / "bundle", tmp_path / "heads.toml"
    manifest = mobileq.convert(
        *(two_heads, bundle),
        precision="fp32,int8",
        calib=pictures,
        spec=spec,
        progress=mobileq.Silent(),
    )
    assert manifest.model.labels[3:] == ("dark", "bright")
    assert manifest.measurements["tflite-int8"]["agreement_top1"] == 1.0
    known = sorted(path for path in pictures.rglob("*.png") if path.parent.name != "white")
    rows = [f"{path.parent.name}/{path.name},{path.parent.name},bright" for path in known]
    (tmp_path / "labels.csv").write_text("\n".join(["file,colour,light", *rows]))

    found = mobileq.validate(bundle, pictures, tmp_path / "labels.csv", runs=1)
    for each in found.scores:
        assert each.accuracy is not None
        assert each.accuracy["top1_by_head"] == {"colour": 1.0, "light": 1.0}
        assert each.accuracy["top1"] == 1.0

    told = mobileq.predict(bundle, known[0], artifact="int8", top=1)[0]
    assert [item.cells[0] for item in told.items] == ["colour: blue", "light: bright"]
