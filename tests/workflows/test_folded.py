"""`--fold-preprocessing`: files take pixels, and answer as those that take what is made of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

import mobileq
from mobileq import Silent
from mobileq.spec import QuantParams


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """x [1, 3, 16, 16], prepared as ImageNet's -> probabilities of three colors."""
    made = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,3,16,16] x) => (float[1,3] y) {
            a = Conv<pads = [1, 1, 1, 1]>(x, w)
            r = Relu(a)
            p = GlobalAveragePool(r)
            f = Flatten(p)
            y = Softmax(f)
        }"""
    )
    weights = np.random.default_rng(0).normal(0, 0.02, (3, 3, 3, 3)).astype(np.float32)
    weights[range(3), range(3), 1, 1] += 1
    made.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    names = ["red", "green", "blue"]
    onnx.helper.set_model_props(made, {"names": str(names), "task": "classify"})
    path = tmp_path / "colors.onnx"
    onnx.save(made, path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for at in range(12):
        image = draw.integers(0, 256, (4, 4, 3)).astype(np.uint8)
        image = cv2.resize(image, (20, 20), interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(folder / f"{at:02}.png"), image)
    return folder


def test_files_take_pixels_and_answer_as_before(
    classifier: Path, pictures: Path, tmp_path: Path
) -> None:
    found: dict[bool, dict[str, np.ndarray]] = {}
    for folded in (False, True):
        bundle = tmp_path / f"{folded}"
        manifest = mobileq.convert(
            *(classifier, bundle),
            precision="fp32,int8",
            io="uint8",
            calib=pictures,
            family="imagenet",
            fold_preprocessing=folded,
            progress=Silent(),
        )
        found[folded] = {name: answers(bundle, name, pictures) for name in ("fp32", "int8")}
    preprocess = manifest.model.preprocess
    assert preprocess is not None
    assert (preprocess.rescale_factor, preprocess.image_mean) == (1.0, (0.0, 0.0, 0.0))
    assert (preprocess.image_std, preprocess.channel_order) == ((1.0, 1.0, 1.0), "RGB")
    np.testing.assert_allclose(found[True]["fp32"], found[False]["fp32"], atol=1e-5)
    np.testing.assert_allclose(found[True]["int8"], found[False]["fp32"], atol=0.02)
    # The pixels themselves, whatever the calibration pictures hold.
    integers = next(each for each in manifest.artifacts if each.precision == "int8")
    assert integers.inputs[0].quant == QuantParams(scale=(1.0,), zero_point=(0,))
    again = mobileq.convert(
        *(classifier, tmp_path / "again"),
        recipe=bundle / "recipe.json",
        calib=pictures,
        family="imagenet",
        progress=Silent(),
    )
    assert again.model.preprocess == preprocess
    assert [each.sha256 for each in again.artifacts] == [integers.sha256]


def answers(bundle: Path, precision: str, pictures: Path) -> np.ndarray:
    """[pictures, classes]: the probabilities."""
    run = mobileq.predict(bundle, pictures, artifact=f"tflite-{precision}", progress=Silent())
    rows = [{each.class_id: each.probability for each in picture.items} for picture in run]
    return np.array([[row[index] for index in range(3)] for row in rows])
