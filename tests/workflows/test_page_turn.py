"""A classifier as Paddle exports it: dimensions without a length, weights in Constant nodes, a
softmax in the graph. It tells whether a line of text stands on its head."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import mobileq

pytestmark = [pytest.mark.real_model, pytest.mark.slow]

TEXTS = (
    *("Total amount 48.20 EUR", "Please keep this receipt", "The quick brown fox", "Gate B42"),
    *("Room 317, second floor", "Printed on recycled paper", "Fragile: this side up", "Invoice 77"),
)
TARGETS = ("tflite", "mnn", "onnxruntime")
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)
SPEC = """
labels = ["upright", "upside down"]
[preprocess]
image_mean = [0.5, 0.5, 0.5]
image_std = [0.5, 0.5, 0.5]
"""


def line(text: str, font: int, seed: int) -> np.ndarray:
    """Dark letters that fill a light strip, 48 x 192, with a little noise; every other one tilted
    by up to 3 degrees and out of focus, as a camera sees it."""
    draw = np.random.default_rng(seed)
    (width, height), below = cv2.getTextSize(text, font, 1.5, 3)
    strip = np.full((height + below + 16, width + 24, 3), draw.integers(190, 256), np.uint8)
    shade = int(draw.integers(0, 70))
    origin = (12, height + 6)
    cv2.putText(strip, text, origin, font, 1.5, (shade, shade, shade), 3, cv2.LINE_AA)
    if seed % 2:
        tilt = cv2.getRotationMatrix2D(
            (strip.shape[1] / 2, strip.shape[0] / 2), draw.uniform(-3, 3), 1
        )
        strip = cv2.warpAffine(strip, tilt, strip.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
        strip = cv2.GaussianBlur(strip, (0, 0), 1.5)
    small = cv2.resize(strip, (192, 48), interpolation=cv2.INTER_AREA)
    return np.clip(small + draw.normal(0, 4, small.shape), 0, 255).astype(np.uint8)


def lines(folder: Path, texts: tuple[str, ...]) -> list[tuple[Path, str]]:
    """(picture, what is to be said of it): each line upright and turned by 180 degrees."""
    folder.mkdir()
    made = []
    for seed, text in enumerate(texts):
        upright = line(text, FONTS[seed % len(FONTS)], seed)
        for said, image in (("upright", upright), ("upside down", upright[::-1, ::-1])):
            path = folder / f"{seed} {said}.png"
            assert cv2.imwrite(str(path), image)
            made.append((path, said))
    return made


def test_open_dimensions_are_asked_for(data_folder: Path) -> None:
    model = data_folder / "models" / "ch_ppocr_mobile_v2.0_cls_mobile.onnx"
    with pytest.raises(mobileq.UsageError, match="no fixed shape") as refused:
        mobileq.inspect(model)
    assert "the one it was trained with, such as --input-shape x:1,3," in str(refused.value.hint)


@pytest.fixture(scope="module")
def bundle(
    data_folder: Path, children: None, tmp_path_factory: pytest.TempPathFactory
) -> mobileq.Bundle:
    """The model as files for all runtimes."""
    folder = tmp_path_factory.mktemp("page-turn")
    (folder / "spec.toml").write_text(SPEC)
    lines(folder / "calibration", tuple(text.swapcase()[::-1] for text in TEXTS))
    manifest = mobileq.convert(
        data_folder / "models" / "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
        folder / "bundle",
        target=",".join(TARGETS),
        precision="fp32,fp16,int8",
        calib=folder / "calibration",
        input_shape="x:1,3,48,192",
        spec=folder / "spec.toml",
        progress=mobileq.Silent(),
    )
    assert manifest.failures == ()
    return mobileq.read_bundle(folder / "bundle")


@pytest.mark.parametrize("target", TARGETS)
def test_every_file_tells_which_lines_stand_on_their_head(
    target: str, bundle: mobileq.Bundle, tmp_path: Path
) -> None:
    wanted = lines(tmp_path / "lines", TEXTS)
    names = [each.name for each in bundle.manifest.artifacts if each.target == target]
    assert len(names) == 3
    for name in names:
        run = mobileq.predict(bundle, [path for path, _ in wanted], artifact=name, top=1)
        found = [picture.classes[0].label for picture in run]  # type: ignore[attr-defined]
        assert found == [said for _, said in wanted], name
