"""`mobileq validate`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from mobileq.hashing import file_digest
from mobileq.manifest import FileEntry, read_manifest, write_manifest

from .commands import Cli, fingerprint, names_in

pytestmark = pytest.mark.usefixtures("children")


@pytest.fixture
def images(demo: Path, tmp_path: Path) -> Path:
    """Two labelled pictures."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("000.jpg", "001.jpg"):
        shutil.copy(demo / "validation" / "images" / name, folder)
    return folder


def test_accuracy_agreement_and_latency_are_measured(
    cli: Cli, bundle: Path, images: Path, demo: Path
) -> None:
    annotations = demo / "validation.json"
    result = cli("validate", bundle, "--images", images, "--annotations", annotations)
    assert result.code == 0
    assert result.errors == []
    assert "2 images (validation.json)" in result.out
    for name in ("onnx", "tflite-fp32", "tflite-fp16", "tflite-dynamic"):
        assert name in result.out
    report = json.loads((bundle / "report.json").read_text())
    assert report["validation"]["images"] == 2
    onnx, *files = report["validation"]["scores"]
    assert onnx["lost"] is None
    for each in files:
        lost = onnx["accuracy"]["map50_95"] - each["accuracy"]["map50_95"]
        assert each["lost"]["value"] == pytest.approx(lost)
        assert 0.0 <= each["lost"]["error"] < 0.5
    assert "standard error (paired bootstrap" in result.out
    assert cli("verify", bundle).code == 0
    assert [name for name in names_in(bundle.parent) if name.startswith(".")] == []


def test_json_is_one_document(cli: Cli, bundle: Path, images: Path, demo: Path) -> None:
    result = cli(
        *("validate", bundle, "--images", images, "--annotations", demo / "validation.json"),
        "--json",
    )
    assert result.code == 0
    names = [score["name"] for score in result.document["scores"]]
    assert names == ["onnx", "tflite-fp32", "tflite-fp16", "tflite-dynamic"]
    assert result.document["ship"]["file"] in names[1:]
    assert "Times are of this machine, not of a phone." in result.document["ship"]["why"]


def test_output_leaves_the_bundle_alone(
    cli: Cli, bundle: Path, images: Path, tmp_path: Path
) -> None:
    before = fingerprint(bundle)
    output = tmp_path / "new" / "report.json"
    result = cli("validate", bundle, "--images", images, "-o", output)
    assert (result.code, result.err) == (0, "")
    assert json.loads(output.read_text())["validation"]["annotations"] is None
    assert names_in(output.parent) == ["report.json"]
    assert fingerprint(bundle) == before


@pytest.mark.parametrize(
    ("place", "code", "words"),
    [
        (".", 2, "is a folder. Try: Give --output the name of a file."),
        ("images/000.jpg/report.json", 1, "cannot be written: Not a directory."),
        ("/proc/report.json", 1, "/proc/report.json cannot be written"),
    ],
)
def test_a_place_that_cannot_be_written(
    cli: Cli, bundle: Path, images: Path, tmp_path: Path, place: str, code: int, words: str
) -> None:
    if place.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("this system has no /proc")
    said = cli.fails(code, "validate", bundle, "--images", images, "-o", tmp_path / place)
    assert words in said


def test_missing_paths(cli: Cli, bundle: Path, images: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert f"There is no folder {missing}." in cli.fails(2, "validate", missing, "--images", images)
    said = cli.fails(2, "validate", bundle, "--images", missing)
    assert f"There is no file or folder {missing}." in said
    arguments = ("validate", bundle, "--images", images, "--annotations", missing)
    assert f"There is no file {missing}." in cli.fails(2, *arguments)


def test_a_folder_without_pictures(cli: Cli, bundle: Path, tmp_path: Path, demo: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no images." in cli.fails(1, "validate", bundle, "--images", empty)
    arguments = ("validate", bundle, "--images", empty, "--annotations", demo / "validation.json")
    assert "holds no images." in cli.fails(1, *arguments)


def test_a_folder_without_annotated_pictures(
    cli: Cli, bundle: Path, images: Path, demo: Path
) -> None:
    for path in list(images.iterdir()):
        path.rename(images / f"other-{path.name}")
    before = fingerprint(bundle)
    arguments = ("validate", bundle, "--images", images, "--annotations", demo / "validation.json")
    said = cli.fails(1, *arguments)
    assert "None of the 32 pictures of" in said
    assert "Try: Give the folder that holds the annotated pictures." in said
    assert fingerprint(bundle) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "input data was truncated"),
        ('{"images": [], "annotations": [], "categories": []}', "`images` is empty"),
        ('{"images": 3}', "field `images`: expected `array`, got `int`"),
        ("[1, 2]", "expected `object`, got `array`"),
    ],
)
def test_wrong_annotations(
    cli: Cli, bundle: Path, images: Path, tmp_path: Path, text: str, words: str
) -> None:
    annotations = tmp_path / "annotations.json"
    annotations.write_text(text)
    said = cli.fails(1, "validate", bundle, "--images", images, "--annotations", annotations)
    assert f"{annotations} cannot be used: {words}." in said


def test_annotations_of_other_classes(
    cli: Cli, bundle: Path, images: Path, demo: Path, tmp_path: Path
) -> None:
    known = json.loads((demo / "validation.json").read_text())
    for category in known["categories"]:
        category["name"] += " of another set"
    known["categories"].append({"id": 99, "name": "hexagon"})
    annotations = tmp_path / "annotations.json"
    annotations.write_text(json.dumps(known))
    before = fingerprint(bundle)
    said = cli.fails(1, "validate", bundle, "--images", images, "--annotations", annotations)
    assert "categor" in said
    assert fingerprint(bundle) == before


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("models/demo-fp16.tflite", b"damaged", "models/demo-fp16.tflite was changed."),
        ("reference/demo.onnx", b"damaged", "reference/demo.onnx was changed."),
        ("report.json", None, "report.json is missing."),
        ("labels.txt", None, "labels.txt is missing."),
        ("labels.txt", b"a\nb\nc\nd\n", "labels.txt was changed."),
        ("mine.txt", b"mine", "mine.txt is not one of its files."),
    ],
)
def test_a_bundle_that_was_changed_is_not_measured_nor_sealed_again(
    cli: Cli, bundle: Path, images: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is None:
        (bundle / name).unlink()
    else:
        (bundle / name).write_bytes(content)
    before = fingerprint(bundle)
    said = cli.fails(1, "validate", bundle, "--images", images)
    assert f"{bundle} is not as it was written: {words}" in said
    assert fingerprint(bundle) == before


def test_an_unreadable_picture_is_named_and_skipped(cli: Cli, bundle: Path, images: Path) -> None:
    (images / "zero.jpg").touch()
    result = cli("validate", bundle, "--images", images, "--runs", 1)
    assert result.code == 0
    assert "Skipped: zero.jpg is empty." in result.err
    assert "2 images, no labels" in result.out


def damaged(bundle: Path, *names: str) -> None:
    """A bundle that is as it was written, whose files are no models."""
    manifest = read_manifest(bundle / "manifest.json")
    files, artifacts = dict(manifest.files), []
    for artifact in manifest.artifacts:
        if artifact.name in names:
            place = bundle / artifact.path
            place.write_bytes(b"no model")
            known = FileEntry(sha256=file_digest(place), size_bytes=8)
            files[artifact.path] = known
            artifact = msgspec.structs.replace(
                artifact, sha256=known.sha256, size_bytes=known.size_bytes
            )
        artifacts.append(artifact)
    write_manifest(
        msgspec.structs.replace(manifest, files=files, artifacts=tuple(artifacts)),
        bundle / "manifest.json",
    )


def test_a_file_that_does_not_load_takes_no_other_down(
    cli: Cli, bundle: Path, images: Path
) -> None:
    damaged(bundle, "tflite-fp16")
    arguments = ("validate", bundle, "--images", images, "--runs", 1)
    result = cli(*arguments)
    assert result.code == 1
    assert result.errors[0].startswith("Error: Not measured, since they failed: demo-fp16.tflite.")
    row = next(line for line in result.out.splitlines() if "tflite-fp16" in line)
    assert "FAILED" in row
    assert "FAILED demo-fp16.tflite: " in result.out
    assert cli("verify", bundle).code == 0
    report = json.loads((bundle / "report.json").read_text())["validation"]
    assert [each["name"] for each in report["scores"]] == ["onnx", "tflite-fp32", "tflite-dynamic"]
    (failure,) = report["failures"]
    assert (failure["precision"], failure["stage"]) == ("fp16", "run")
    assert failure["reason"]
    before = fingerprint(bundle)
    cli.fails(1, *arguments, "--strict")
    assert fingerprint(bundle) == before


def test_where_no_file_loads_nothing_is_written(cli: Cli, bundle: Path, images: Path) -> None:
    damaged(bundle, "tflite-fp32", "tflite-fp16", "tflite-dynamic")
    before = fingerprint(bundle)
    cli.fails(1, "validate", bundle, "--images", images, "--runs", 1)
    assert fingerprint(bundle) == before


def test_fewer_pictures_runs_and_threads(
    cli: Cli, bundle: Path, demo: Path, tmp_path: Path
) -> None:
    arguments = ("validate", bundle, "--images", demo / "validation" / "images", "--json")
    arguments += ("--annotations", demo / "validation.json", "-o", tmp_path / "report.json")
    found = cli(*arguments, "--count", 3, "--runs", 2, "--threads", 1).document
    assert (found["images"], found["threads"]) == (3, 1)
    assert {each["accuracy"]["image_count"] for each in found["scores"]} == {3}
    for option, value in (("--count", 0), ("--runs", 0), ("--threads", -1)):
        assert f"{option} can't be {value}." in cli.fails(2, *arguments[:4], option, value)


def test_recommend_goes_by_what_was_measured_last(
    cli: Cli, bundle: Path, images: Path, demo: Path
) -> None:
    unmeasured = cli("recommend", bundle, "--max-ms", "10")
    assert unmeasured.code == 2
    assert unmeasured.errors == [
        "Error: How long the files take was not measured.",
        "Try: Measure it with `mobileq validate BUNDLE --images FOLDER`.",
    ]
    assert "As verified when the bundle was made" in cli("recommend", bundle, "--max-mb", "9").out
    annotations = demo / "validation.json"
    assert cli("validate", bundle, "--images", images, "--annotations", annotations).code == 0
    found = cli("recommend", bundle, "--max-ms", "60000", "--json")
    assert found.code == 0
    assert found.document["file"].endswith(".tflite")
    assert found.document["measured"].startswith("2 images (validation.json); ")
    missed = cli("recommend", bundle, "--max-mb", "0.001", "--json")
    assert (missed.code, missed.document["file"]) == (3, None)
    assert missed.document["nearest"].endswith("-dynamic.tflite")
    assert cli("recommend", bundle, "--max-ms", "-1").code == 2
