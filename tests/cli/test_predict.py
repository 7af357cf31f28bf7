"""`mobileq predict`: any task, by one command."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from . import models
from .commands import Cli, names_in

pytestmark = pytest.mark.usefixtures("children")

RGB = {"red": (250, 20, 20), "green": (20, 250, 20), "blue": (20, 20, 250)}


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    return models.colours(tmp_path / "colours.onnx")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """One of each colour."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in RGB.items():
        cv2.imwrite(str(folder / f"{name}.png"), np.full((64, 96, 3), colour[::-1], np.uint8))
    return folder


def test_the_best_classes_are_listed_and_drawn(
    cli: Cli, classifier: Path, pictures: Path, tmp_path: Path
) -> None:
    result = cli("predict", classifier, pictures, "--top", "2", "-o", tmp_path / "drawn")
    assert result.code == 0
    rows = [line.split() for line in result.out.splitlines() if ".png" in line]
    assert [row[1:4:2] for row in rows[:6:2]] == [[f"{name}.png", name] for name in sorted(RGB)]
    assert len(rows) == 6 + 3, "two classes and a drawing of each"
    assert names_in(tmp_path / "drawn") == [f"{name}.png" for name in sorted(RGB)]
    drawn = cv2.imread(str(tmp_path / "drawn" / "red.png"))
    assert (drawn[:20] == RGB["red"][::-1]).all(), "above the two lines the picture is as it was"
    assert (drawn[50:] != RGB["red"][::-1]).any(axis=-1).all()


def test_json_has_probabilities_that_add_up_to_one(
    cli: Cli, classifier: Path, pictures: Path
) -> None:
    found = cli("predict", classifier, pictures / "blue.png", "--json").document["pictures"]
    best = found[0]["classes"][0]
    assert (best["label"], best["class_id"]) == ("blue", 2)
    assert sum(each["probability"] for each in found[0]["classes"]) == pytest.approx(1, abs=1e-4)


def test_of_many_pictures_the_best_classes_are_counted(
    cli: Cli, classifier: Path, pictures: Path
) -> None:
    for at in range(40):
        (pictures / f"{at}.png").write_bytes((pictures / "red.png").read_bytes())
    result = cli("predict", classifier, pictures)
    assert "72 more classes; --json has all." in result.out
    assert "In 43 pictures: 41 red, 1 blue, 1 green" in result.out


def test_a_score_leaves_out_what_is_less_probable(
    cli: Cli, classifier: Path, pictures: Path
) -> None:
    found = cli("predict", classifier, pictures, "--score", "0.9", "--json").document["pictures"]
    assert [len(each["classes"]) for each in found] == [1, 1, 1]
    result = cli("predict", classifier, pictures / "red.png", "--score", "1")
    assert "Nothing was found in 1 picture." in result.out
    cli.fails(2, "predict", classifier, pictures, "--score", "2")


def test_a_detector_is_told_as_detect_tells_it(cli: Cli, made_bundle: Path, demo: Path) -> None:
    picture = demo / "validation" / "images" / "000.jpg"
    assert cli("predict", made_bundle, picture).out == cli("detect", made_bundle, picture).out
    best = cli("predict", made_bundle, picture, "--top", "1", "--json").document["pictures"][0]
    scores = [each["score"] for each in best["objects"]]
    assert len(scores) == 1


def test_outputs_of_no_known_meaning_are_told_by_shape_and_saved(
    cli: Cli, pictures: Path, tmp_path: Path
) -> None:
    model, saved = models.plain(tmp_path / "plain.onnx"), tmp_path / "saved"
    result = cli("predict", model, pictures, "-o", saved)
    assert result.out.count("[1, 4, 8, 8]") == 3
    assert f"Saved: {saved / 'blue.npz'}" in result.out
    assert names_in(saved) == ["blue.npz", "green.npz", "red.npz"]
    with np.load(saved / "red.npz") as arrays:
        assert {name: array.shape for name, array in arrays.items()} == {"y": (1, 4, 8, 8)}
    said = cli.fails(2, "predict", model, pictures, "--top", "3")
    assert "nothing has a score. Try: Leave out --score and --top" in said


@pytest.mark.parametrize("address", ["https://example.org/a.jpg", "HTTP://x/a", "s3://bucket/a"])
@pytest.mark.parametrize("command", ["predict", "detect"])
def test_nothing_is_fetched_from_an_address(
    cli: Cli, classifier: Path, command: str, address: str
) -> None:
    said = cli.fails(2, command, classifier, address)
    assert f"{address} is an address, and mobileq fetches nothing from a network." in said
    assert "Download the picture" in said


def test_detect_of_another_task_points_to_predict(
    cli: Cli, classifier: Path, pictures: Path
) -> None:
    assert "`mobileq predict`" in cli.fails(2, "detect", classifier, pictures)
