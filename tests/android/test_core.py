"""The app's pure Java core on a desktop JVM."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pycocotools.coco import COCO

from mobileq.tasks.detect.labels.coco_annotations import read_coco
from tests.android import jvm


def test_java_makes_of_frames_and_outputs_what_python_makes(
    core_classes: Path, core_tests: Path, golden_folder: Path
):
    done = jvm.junit([core_classes], core_tests, f"-Dgolden={golden_folder}")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    ran = re.search(r"\[ *(\d+) tests successful", done.stdout)
    cases = sum(1 for _ in golden_folder.iterdir())
    assert ran
    assert int(ran[1]) > 2 * cases


def test_what_the_app_shares_is_coco_and_coco_results(
    core_classes: Path, core_tests: Path, tmp_path: Path
):
    written = tmp_path / "results.json"
    done = jvm.junit([core_classes], core_tests, f"-Drecords={written}", only="RecordsTest")
    assert done.returncode == 0, done.stdout[-4000:]
    read = read_coco(written)
    names = [*(f"{at}.jpg" for at in range(4)), "nothing.jpg"]
    assert [each.file_name for each in read.images] == names
    assert [each.name for each in read.categories] == ["tit", 'owl "of" Ω']
    coco = COCO(str(written))
    found = coco.loadRes(coco.dataset["annotations"])
    assert len(found.anns) == 4
    for annotation in found.anns.values():
        assert annotation["bbox"] == [6, 10, 14, 30]
        assert annotation["area"] == 14 * 30
        assert annotation["score"] == 0.75
        assert coco.cats[annotation["category_id"]]["name"] == 'owl "of" Ω'


def test_the_core_knows_nothing_of_android():
    for path in jvm.CORE.rglob("*.java"):
        imported = re.findall(r"^import (?:static )?([\w.]+);", path.read_text(), re.MULTILINE)
        foreign = [name for name in imported if not name.startswith(("java.", "mobileq.core."))]
        assert not foreign, path


MUTATIONS = {
    "classify/TopClasses.java": ("scores[rank - 1] < score", "scores[rank - 1] <= score"),
    "detect/BestFirst.java": ("score + 0f", "-score"),
    "image/AxisTaps.java": ("quotient % 2 == 1", "true"),
    "image/Letterbox.java": ("Math.rint(-space / 2.0)", "Math.floor(-space / 2.0)"),
    "tensor/Rows.java": (">= threshold", "> threshold"),
    "image/FrameToTensor.java": ("origin += lastRow;", "origin += 0;"),
    "tensor/Tensor.java": ("viewed != buffer", "true"),
}


@pytest.mark.parametrize("file", MUTATIONS)
def test_a_wrong_core_fails(
    file: str, core_classes: Path, core_tests: Path, golden_folder: Path, tmp_path: Path
):
    there, instead = MUTATIONS[file]
    original = jvm.CORE / "mobileq" / "core" / file
    changed = tmp_path / original.name
    assert original.read_text().count(there) == 1
    changed.write_text(original.read_text().replace(there, instead))
    output = tmp_path / "classes"
    assert not jvm.javac(output, [str(changed)], [core_classes])
    done = jvm.junit(
        [output, core_classes], core_tests, f"-Dgolden={golden_folder}", only="GoldenTest"
    )
    assert done.returncode == 1
