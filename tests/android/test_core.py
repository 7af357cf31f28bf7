"""The app's pure Java core on a desktop JVM."""

from __future__ import annotations

import re
import shutil
import subprocess
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


@pytest.fixture(scope="module")
def found_wrong(
    core_classes: Path,
    core_tests: Path,
    golden_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[int, int]]:
    """How many of the golden tests succeed and fail without a mutation, and with each."""
    work = tmp_path_factory.mktemp("mutations")
    for file, (there, instead) in MUTATIONS.items():
        original = jvm.CORE / "mobileq" / "core" / file
        changed = work / "sources" / file
        changed.parent.mkdir(parents=True, exist_ok=True)
        assert original.read_text().count(there) == 1
        changed.write_text(original.read_text().replace(there, instead))
    compiled = work / "compiled"
    assert not jvm.javac(compiled, jvm.sources(work / "sources"), [core_classes])
    folders = {"": work / "right"}
    for file in MUTATIONS:
        folders[file] = work / Path(file).stem
        package = Path("mobileq/core") / Path(file).parent
        (folders[file] / package).mkdir(parents=True)
        for pattern in (f"{Path(file).stem}.class", f"{Path(file).stem}$*.class"):
            for path in (compiled / package).glob(pattern):
                shutil.copy(path, folders[file] / package)
    classes = jvm.class_path([core_classes, core_tests, *jvm.libraries("junit")])
    done = subprocess.run(
        [
            *(jvm.tool("java"), *jvm.SHORT_LIVED, "-Xmx1g", f"-Dgolden={golden_folder}"),
            *("-cp", classes, "mobileq.core.WrongCores", *map(str, folders.values())),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    told = ((int(right), int(wrong)) for right, wrong in map(str.split, done.stdout.splitlines()))
    return dict(zip(folders, told, strict=True))


@pytest.mark.parametrize("file", MUTATIONS)
def test_a_wrong_core_fails(file: str, found_wrong: dict[str, tuple[int, int]]):
    right, wrong = found_wrong[file]
    assert wrong > 0
    assert (right + wrong, 0) == found_wrong[""]
