"""`mobileq verify`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from .commands import Cli

pytestmark = pytest.mark.usefixtures("children")


def test_a_bundle_as_it_was_written(cli: Cli, bundle: Path) -> None:
    result = cli("verify", bundle)
    assert (result.code, result.err) == (0, "")
    assert "every file is as it was written" in result.out
    assert cli("verify", bundle, "--json").document == {
        "ok": True, "missing": [], "changed": [], "unexpected": [], "notices": [],
    }  # fmt: skip


def test_changed_missing_and_unexpected_files_are_listed(cli: Cli, bundle: Path) -> None:
    (bundle / "labels.txt").write_text("cat\n")
    (bundle / "models" / "demo-fp16.tflite").unlink()
    (bundle / "models" / "mine.txt").write_text("mine")
    result = cli("verify", bundle)
    assert (result.code, result.err) == (1, "")
    assert result.out.splitlines() == [
        "changed: labels.txt",
        "missing: models/demo-fp16.tflite",
        "unexpected: models/mine.txt",
    ]
    result = cli("verify", bundle, "--json")
    assert result.code == 1
    assert result.document == {
        "ok": False,
        "missing": ["models/demo-fp16.tflite"],
        "changed": ["labels.txt"],
        "unexpected": ["models/mine.txt"],
        "notices": [],
    }


def test_one_changed_byte_of_the_same_size_is_found(cli: Cli, bundle: Path) -> None:
    path = bundle / "models" / "demo-fp32.tflite"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert cli("verify", bundle).out == "changed: models/demo-fp32.tflite\n"


def test_a_changed_manifest_is_found(cli: Cli, bundle: Path) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["model"]["labels"][0] = "disc"
    path.write_text(json.dumps(manifest))
    assert cli("verify", bundle).out == "changed: manifest.json\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "cannot be used: input data was truncated."),
        (b"{", "cannot be used: input data was truncated."),
        (b"[]", "expected `object`, got `array`."),
        (b"\xff", "cannot be used: "),
        (b'{"schema_version": 99}', "was written by a newer mobileq"),
    ],
)
@pytest.mark.parametrize("command", ["verify", "validate", "detect"])
def test_a_damaged_manifest_is_named(
    cli: Cli, bundle: Path, demo: Path, command: str, text: bytes, words: str
) -> None:
    (bundle / "manifest.json").write_bytes(text)
    images = demo / "validation" / "images"
    more = {"verify": (), "validate": ("--images", images), "detect": (images,)}[command]
    said = cli.fails(1, command, bundle, *more)
    assert f"Error: {bundle / 'manifest.json'} " in said
    assert words in said


@pytest.mark.parametrize("path", ["../outside.txt", "/etc/passwd", "models/../../outside.txt"])
def test_a_manifest_that_names_files_outside_is_refused(
    cli: Cli, bundle: Path, tmp_path: Path, path: str
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    file = bundle / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["files"][path] = manifest["files"]["labels.txt"]
    file.write_text(json.dumps(manifest))
    said = cli.fails(1, "verify", bundle)
    assert f"the path {path!r} does not stay inside the bundle" in said
    assert outside.read_text() == "mine"


def test_what_is_no_bundle(cli: Cli, tmp_path: Path) -> None:
    assert f"There is no folder {tmp_path / 'x'}." in cli.fails(2, "verify", tmp_path / "x")
    assert f"{tmp_path} is not a bundle" in cli.fails(1, "verify", tmp_path)


def test_a_bundle_of_a_version_without_a_newer_field_is_intact(cli: Cli, bundle: Path) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    assert manifest["model"]["decode"]["box_unit"] == "pixel"
    del manifest["model"]["decode"]["box_unit"]  # has a default, as fields have that a version adds
    content = {k: v for k, v in manifest.items() if k not in ("run", "failures", "content_sha256")}
    text = json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    manifest["content_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(manifest, sort_keys=True, indent=2, ensure_ascii=False) + "\n")
    assert cli("verify", bundle).code == 0
