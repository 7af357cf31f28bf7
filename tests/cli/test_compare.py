"""`mobileq compare`."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

import mobileq
from mobileq.bundle import BundleWriter, read_bundle
from mobileq.hashing import file_digest
from mobileq.manifest import Failure

from .commands import Cli, fingerprint
from .models import plain
from .test_report import changed

pytestmark = pytest.mark.usefixtures("children")

FAILED = Failure(
    target="tflite",
    precision="fp16",
    file_name="demo-fp16.tflite",
    stage="convert",
    reason="It is too large.",
)


@pytest.fixture
def later(bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, to be another one."""
    return Path(shutil.copytree(bundle, tmp_path / "later"))


@pytest.fixture
def labelled(demo: Path) -> tuple[object, ...]:
    pictures, labels = demo / "validation" / "images", demo / "validation.json"
    return ("--images", pictures, "--annotations", labels)


def with_file(bundle: Path, name: str, content: bytes) -> None:
    """The bundle with another file of that name."""
    opened = read_bundle(bundle)
    (artifact,) = (each for each in opened.manifest.artifacts if each.name == name)
    other = bundle.parent / "content"
    other.write_bytes(content)
    artifacts = tuple(
        msgspec.structs.replace(each, sha256=file_digest(other), size_bytes=len(content))
        if each.name == name
        else each
        for each in opened.manifest.artifacts
    )
    with BundleWriter(bundle, force=True) as writer:
        for path in opened.manifest.files:
            writer.add_file(path, other if path == artifact.path else bundle / path)
        writer.finish(msgspec.structs.replace(opened.manifest, artifacts=artifacts))


def _without(bundle: Path, name: str, failures: tuple[Failure, ...] = ()) -> None:
    manifest = read_bundle(bundle).manifest
    kept = tuple(each for each in manifest.artifacts if each.name != name)
    changed(bundle, artifacts=kept, failures=failures)


def _spoiled(bundle: Path) -> bytes:
    """The file of 32-bit floats with zeros where most of them are in a row: weights of a layer."""
    content = bytearray((bundle / "models" / "demo-fp32.tflite").read_bytes())
    floats = np.abs(np.frombuffer(content[: len(content) // 4 * 4], "<f4"))
    is_weight = np.concatenate(([0], (floats > 1e-8) & (floats < 4.0), [0]))
    starts, stops = np.flatnonzero(np.diff(is_weight)).reshape(-1, 2).T * 4
    longest = int(np.argmax(stops - starts))
    start, stop = int(starts[longest]), int(stops[longest])
    content[start:stop] = bytes(stop - start)
    return bytes(content)


def test_a_bundle_and_its_copy_differ_in_nothing(
    cli: Cli, bundle: Path, later: Path, labelled: tuple[object, ...]
) -> None:
    before = fingerprint(bundle)
    result = cli("compare", bundle, later)
    assert (result.code, result.err) == (0, "")
    assert "Nothing differs." in result.out
    assert "What differs" not in result.out
    arguments = (*labelled, "--count", 4, "--fail-if-worse", 0)
    result = cli("compare", bundle, later, *arguments)
    assert result.code == 0, result.err
    assert "No file lost more than 0." in result.out
    assert "Nothing differs." in result.out
    assert fingerprint(bundle) == fingerprint(later) == before


def test_what_the_bundles_say_needs_no_pictures(cli: Cli, bundle: Path, later: Path) -> None:
    manifest = read_bundle(later).manifest
    first, *others = manifest.artifacts
    recipe = msgspec.structs.replace(
        first.recipe, head="raw", keep_float=("output0",), repairs=("weight-rounding",)
    )
    artifact = msgspec.structs.replace(first, recipe=recipe, ops={"CONV_2D float32": 3})
    assert manifest.model.preprocess is not None
    model = msgspec.structs.replace(
        manifest.model,
        labels=("disc", *manifest.model.labels[1:]),
        preprocess=msgspec.structs.replace(manifest.model.preprocess, pad_value=0),
    )
    command = (*manifest.run.command, "--seed", "5")
    changed(
        later,
        artifacts=(artifact, *others),
        model=model,
        run=msgspec.structs.replace(manifest.run, command=command),
        measurements={**manifest.measurements, first.name: {"sqnr_db": 12.5}},
    )
    result = cli("compare", bundle, later)
    assert (result.code, result.err) == (0, "")
    rows = {
        tuple(cell.strip() for cell in line.split("│")[2:5])
        for line in result.out.splitlines()
        if line.startswith("│")
    }
    assert ("model.preprocess.pad_value", "114", "0") in rows
    assert ("model.labels", f"4: {manifest.model.labels[0]}", "4: disc") in rows
    assert ("options.--seed", "-", "5") in rows
    assert ("head", "decoded", "raw") in rows
    assert ("repairs", "0", "weight-rounding") in rows
    assert ("CONV_2D float32", str(first.ops["CONV_2D float32"]), "3") in rows
    was = manifest.measurements[first.name]["sqnr_db"]
    assert ("sqnr_db", str(was), "12.5") in rows
    assert f"{first.name}: now float: output0." in result.out
    found = cli("compare", later, bundle, "--json").document
    (file,) = (each for each in found["files"] if each["name"] == first.name)
    assert file["no_longer_float"] == ["output0"]
    assert file["before"] is None
    assert found["images"] is None


def test_a_file_that_is_worse_is_named_with_the_pictures_and_fails(
    cli: Cli, bundle: Path, later: Path, labelled: tuple[object, ...]
) -> None:
    with_file(later, "tflite-fp32", _spoiled(bundle))
    arguments = ("compare", bundle, later, *labelled, "--count", 12)
    assert cli(*arguments).code == 0  # nobody asked for a limit
    result = cli(*arguments, "--fail-if-worse", 0.005, "--json")
    assert result.code == 3
    found = result.document
    (worse,) = found["worse"]
    assert (worse["name"], worse["is_found"]) == ("tflite-fp32", True)
    assert worse["why"].startswith("tflite-fp32 is worse: it lost 0.")
    files = {each["name"]: each for each in found["files"]}
    assert list(files) == ["onnx", "tflite-fp32", "tflite-fp16", "tflite-dynamic"]
    file = files["tflite-fp32"]
    assert file["lost"]["value"] == pytest.approx(
        file["before"]["map50_95"] - file["after"]["map50_95"]
    )
    assert file["lost"]["value"] > 2 * file["lost"]["error"] > 0
    assert file["pictures"]
    assert files["tflite-fp16"]["lost"] == {"value": 0.0, "error": 0.0}
    report = found["before"], found["after"], found["annotations"], found["images"]
    assert report == (str(bundle), str(later), "validation.json", 12)
    # The other way round it is better.
    result = cli("compare", later, bundle, *labelled, "--count", 12, "--fail-if-worse", 0.005)
    assert result.code == 0, result.err
    assert "Better than before: tflite-fp32." in result.out
    assert f"answers otherwise in {len(file['pictures'])} pictures: " in result.out
    chosen = ("--artifact", "fp16,dynamic", "--fail-if-worse", "0.005")
    assert cli(*arguments, *chosen).code == 0


def test_figures_are_those_of_validate(
    cli: Cli, bundle: Path, later: Path, labelled: tuple[object, ...]
) -> None:
    scores = cli("validate", bundle, *labelled, "--count", 6, "--runs", 1, "--json").document
    found = cli("compare", bundle, later, *labelled, "--count", 6, "--json").document
    own = {each["name"]: each["accuracy"] for each in scores["scores"]}
    assert {each["name"]: each["after"] for each in found["files"]} == own


def test_a_file_that_fails_now_is_worse(
    cli: Cli, bundle: Path, later: Path, labelled: tuple[object, ...]
) -> None:
    _without(later, "tflite-fp16", (FAILED,))
    with_file(later, "tflite-dynamic", b"no model")
    arguments = ("compare", bundle, later, *labelled, "--count", 2)
    result = cli(*arguments)
    assert result.code == 1
    assert "Only before: tflite-fp16." in result.out
    assert "FAILED demo-fp16.tflite: It is too large." in result.out
    assert "FAILED demo-dynamic.tflite of later: " in result.out
    result = cli(*arguments, "--fail-if-worse", 0.01)
    assert result.code == 3
    for name in ("tflite-fp16", "tflite-dynamic"):
        assert f"{name} is worse: it fails now." in result.out
    assert cli("compare", bundle, later).code == 1


def test_a_file_that_nobody_asked_for_any_more_is_none_that_fails(
    cli: Cli, bundle: Path, later: Path, labelled: tuple[object, ...]
) -> None:
    _without(later, "tflite-fp16")
    result = cli("compare", bundle, later, *labelled, "--count", 2, "--fail-if-worse", 0.01)
    assert result.code == 0, result.err
    assert "Only before: tflite-fp16." in result.out


def test_a_file_of_before_that_does_not_run_is_said_and_no_fault_of_the_other(
    cli: Cli, bundle: Path, later: Path, labelled: tuple[object, ...]
) -> None:
    with_file(bundle, "tflite-dynamic", b"no model")
    result = cli("compare", bundle, later, *labelled, "--count", 2, "--fail-if-worse", 0.01)
    assert result.code == 1
    assert "FAILED demo-dynamic.tflite of bundle: " in result.out
    assert "is worse" not in result.out


def test_without_labels_each_is_held_against_its_own_model(
    cli: Cli, bundle: Path, later: Path, labelled: tuple[object, ...]
) -> None:
    with_file(later, "tflite-fp32", _spoiled(bundle))
    source = msgspec.structs.replace(read_bundle(later).manifest.source, sha256="0" * 64)
    changed(later, source=source)
    arguments = ("compare", bundle, later, *labelled[:2], "--count", 8)
    result = cli(*arguments)
    assert result.code == 0, result.err
    assert "agreement before" in result.out
    assert "not which model is better" in result.out
    found = cli(*arguments, "--fail-if-worse", 0.01, "--json")
    assert found.code == 3
    (file,) = (each for each in found.document["files"] if each["name"] == "tflite-fp32")
    assert file["lost"]["value"] == pytest.approx(
        file["before"]["map50_95"] - file["after"]["map50_95"]
    )


def test_answers_of_other_classes_are_not_compared_picture_by_picture(
    cli: Cli, bundle: Path, later: Path, labelled: tuple[object, ...]
) -> None:
    manifest = read_bundle(later).manifest
    labels = tuple(f"another {each}" for each in manifest.model.labels)
    changed(later, model=msgspec.structs.replace(manifest.model, labels=labels))
    result = cli("compare", bundle, later, *labelled[:2], "--count", 2)
    assert result.code == 0, result.err
    assert "The models answer in different classes" in result.out
    assert "answers otherwise" not in result.out


def test_too_few_pictures_for_the_limit_are_said(
    cli: Cli, bundle: Path, later: Path, grey: Path, labelled: tuple[object, ...]
) -> None:
    result = cli("compare", bundle, later, *labelled, "--count", 1, "--fail-if-worse", 0.01)
    assert result.code == 0
    assert "One picture decides nothing" in result.out
    # Nothing is found in grey pictures, and a limit that nothing was held against is no limit.
    said = cli.fails(1, "compare", bundle, later, "--images", grey, "--fail-if-worse", 0.01)
    assert "Nothing says whether a file is worse" in said
    assert cli("compare", bundle, later, "--images", grey).code == 0


def test_numbers_without_a_meaning_are_compared_as_numbers(
    cli: Cli, bundle: Path, tmp_path: Path, labelled: tuple[object, ...]
) -> None:
    made, given = tmp_path / "plain", tmp_path / "given.npy"
    model = plain(tmp_path / "plain.onnx")
    assert cli("convert", model, "-o", made, "--precision", "fp32,fp16").code == 0
    np.save(given, np.random.default_rng(0).random((3, 3, 8, 8), np.float32))
    other = Path(shutil.copytree(made, tmp_path / "other"))
    opened = read_bundle(made)
    exact, rounded = (made / each.path for each in opened.manifest.artifacts)
    with_file(other, "tflite-fp32", rounded.read_bytes())
    assert exact.read_bytes() != rounded.read_bytes()
    result = cli("compare", made, other, "--images", given)
    assert result.code == 0, result.err
    found = cli("compare", made, other, "--images", given, "--json").document
    files = {each["name"]: (each["sqnr_db"], each["cosine"]) for each in found["files"]}
    assert files["tflite-fp16"] == (None, pytest.approx(1.0))
    assert 40 < files["tflite-fp32"][0] < 90
    arguments = ("--images", given, "--fail-if-worse", 0.01)
    assert "needs outputs with a meaning" in cli.fails(2, "compare", made, other, *arguments)
    said = cli.fails(2, "compare", made, bundle, "--images", given)
    assert "are for different tasks" in said
    assert cli("compare", made, bundle).code == 0


def test_what_can_be_put_right_is_said(
    cli: Cli, bundle: Path, later: Path, tmp_path: Path, labelled: tuple[object, ...]
) -> None:
    nothing = tmp_path / "nothing"
    assert f"There is no folder {nothing}." in cli.fails(2, "compare", bundle, nothing)
    assert "has no artifact 'w8'" in cli.fails(2, "compare", bundle, later, "--artifact", "w8")
    for option in labelled[2:], ("--fail-if-worse", 0.1):
        said = cli.fails(2, "compare", bundle, later, *option)
        assert f"{option[0]} needs pictures." in said
    for option in ("--count", 0), ("--threads", -1), ("--fail-if-worse", -0.1):
        said = cli.fails(2, "compare", bundle, later, *labelled, *option)
        assert f"{option[0]} can't be {option[1]}." in said
    manifest = read_bundle(later).manifest
    changed(later, artifacts=manifest.artifacts[1:])
    arguments = ("--artifact", "fp32", "--fail-if-worse", 0.1)
    said = cli.fails(2, "compare", bundle, later, *labelled, *arguments)
    assert f"{later} has no file of {bundle}." in said
    assert "no file of one name" in cli("compare", bundle, later, "--artifact", "fp32").out


def test_a_bundle_that_was_changed_is_not_measured(
    cli: Cli, bundle: Path, later: Path, labelled: tuple[object, ...]
) -> None:
    # By its manifest the file is the same, and would not be run again.
    (later / "models" / "demo-fp32.tflite").write_bytes(b"no model")
    said = cli.fails(1, "compare", bundle, later, *labelled, "--fail-if-worse", 0.1)
    assert f"{later} is not as it was written: models/demo-fp32.tflite was changed." in said


def test_in_python(bundle: Path, later: Path) -> None:
    found = mobileq.compare(bundle, later)
    assert found.is_equal
    assert found.is_same_model
    assert "Nothing differs." in str(found)
    assert "<table>" in found._repr_html_()
    assert repr(found).endswith(": 3 files>")
