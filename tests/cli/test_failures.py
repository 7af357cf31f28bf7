"""A file that can't be made right is named and left out; the others are kept."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import mobileq
from mobileq.errors import ToolError
from mobileq.quantize.variants import Variants
from mobileq.targets.tflite.target import TfliteTarget
from mobileq.workflows.planning import Planning

from . import models
from .commands import Cli, names_in
from .recipe_files import SAMPLES

pytestmark = pytest.mark.usefixtures("children")

HALF = ("--precision", "fp32,int8-full", "--head", "decoded", "--no-search")
"""Decoding in the graph can't be all integer; everything else can be made."""


def _arguments(
    demo: Path, output: Path, *options: object, model: Path | None = None
) -> tuple[object, ...]:
    calib = ("--calib", demo / "calibration" / "images", *SAMPLES)
    return ("convert", model or demo / "demo.onnx", "-o", output, *calib, *options)


def _manifest(output: Path) -> Any:
    return json.loads((output / "manifest.json").read_text())


def test_what_is_right_is_kept_and_what_is_not_is_named(
    cli: Cli, demo: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    result = cli(*_arguments(demo, output, *HALF))
    assert result.code == 1
    assert names_in(output / "models") == ["demo-fp32.tflite"]
    (failed,) = _manifest(output)["failures"]
    assert (failed["target"], failed["precision"]) == ("tflite", "int8-full")
    assert failed["file_name"] == "demo-int8-full.tflite"
    assert failed["stage"] == "convert"
    assert "can't be all integer" in failed["reason"]
    assert result.errors == [
        "Error: Not in the bundle, since they failed: demo-int8-full.tflite.",
        f"Try: {failed['hint']}",
    ]
    assert f"FAILED demo-int8-full.tflite: {failed['reason']} {failed['hint']}" in result.out
    row = next(line for line in result.out.splitlines() if "demo-int8-full.tflite" in line)
    assert "FAILED" in row
    assert cli("verify", output).code == 0


def test_document_is_the_manifest_with_its_failures(cli: Cli, demo: Path, tmp_path: Path) -> None:
    result = cli(*_arguments(demo, tmp_path / "out", *HALF, "--json"))
    assert result.code == 1
    assert [each["precision"] for each in result.document["artifacts"]] == ["fp32"]
    assert [each["precision"] for each in result.document["failures"]] == ["int8-full"]


def test_strict_is_all_or_nothing(cli: Cli, demo: Path, tmp_path: Path) -> None:
    said = cli.fails(1, *_arguments(demo, tmp_path / "out", *HALF, "--strict"))
    assert "can't be all integer" in said
    assert not (tmp_path / "out").exists()


def test_op_without_integers_is_named_before_weights_are_fitted(
    cli: Cli, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def repaired(*arguments: object, **more: object) -> object:
        raise AssertionError("it takes a minute")

    monkeypatch.setattr(Variants, "repaired", repaired)
    options = ("--precision", "int8-full", "--head", "decoded")
    said = cli.fails(1, *_arguments(demo, tmp_path / "out", *options))
    assert "demo can't be all integer: " in said


def test_functions_return_the_manifest_with_its_failures(demo: Path, tmp_path: Path) -> None:
    options = mobileq.ConvertOptions(
        precisions=("fp32", "int8-full"),
        head="decoded",
        quantization=mobileq.QuantOptions(search=False),
        calib=demo / "calibration" / "images",
        calib_count=8,
    )
    manifest = mobileq.convert(demo / "demo.onnx", tmp_path / "out", options)
    assert [each.precision for each in manifest.artifacts] == ["fp32"]
    assert [each.precision for each in manifest.failures] == ["int8-full"]
    assert mobileq.read_bundle(tmp_path / "out").manifest == manifest


def test_files_of_a_target_that_fails_share_its_reason_and_the_other_target_stays(
    cli: Cli, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise ToolError("The converter crashed.", "See the log file.")

    monkeypatch.setattr(TfliteTarget, "convert", crash)
    one_engine = dataclasses.replace(TfliteTarget.info, options=())
    monkeypatch.setattr(TfliteTarget, "info", one_engine)
    options = ("--precision", "fp32,fp16", "--target", "tflite,mnn", "--no-cache")
    output = tmp_path / "out"
    model = models.plain(tmp_path / "net.onnx")
    result = cli(*_arguments(demo, output, *options, model=model))
    assert result.code == 1
    assert names_in(output / "models") == ["net-fp16.mnn", "net-fp32.mnn"]
    assert result.errors == [
        "Error: Not in the bundle, since they failed: net-fp32.tflite, net-fp16.tflite.",
        "Try: See the log file.",
    ]
    told = "FAILED net-fp32.tflite, net-fp16.tflite: The converter crashed. See the log file."
    assert told in result.out.splitlines()


def test_bug_in_one_file_is_logged_and_the_others_are_kept(
    cli: Cli, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret of the bug")

    monkeypatch.setattr(Planning, "plan", broken)
    result = cli(*_arguments(demo, tmp_path / "out", "--precision", "fp32,int8"))
    assert result.code == 1
    (failed,) = _manifest(tmp_path / "out")["failures"]
    assert failed["stage"] == "quantize"
    [log] = (tmp_path / "logs").iterdir()
    assert str(log) in failed["reason"]
    assert "secret" not in result.err
    assert "RuntimeError: the secret of the bug" in log.read_text()


def test_candidate_that_does_not_work_has_lost(
    cli: Cli, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an XNNPACK that can't take one of the files that are tried."""
    opened, real = [], TfliteTarget.open

    def unlucky(self: TfliteTarget, path: Path, *arguments: Any, **options: Any) -> Any:
        opened.append(path.name)
        if opened.count("trial.tflite") == 1 and path.name == "trial.tflite":
            raise ToolError("It does not load.", "")
        return real(self, path, *arguments, **options)

    monkeypatch.setattr(TfliteTarget, "open", unlucky)
    options = ("--precision", "int8", "--repair", "", "--no-cache")
    model = models.colours(tmp_path / "net.onnx")
    result = cli(*_arguments(demo, tmp_path / "out", *options, model=model))
    assert result.code == 0, result.err
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    problems = [each["problem"] for each in report["plans"]["tflite-int8"]["trials"]]
    assert problems.count("It does not load.") == 1
    assert len(problems) > 1


def test_file_of_which_no_candidate_works_fails_alone(
    cli: Cli, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = TfliteTarget.open

    def unlucky(self: TfliteTarget, path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "trial.tflite":
            raise ToolError("It does not load.", "")
        return real(self, path, *arguments, **options)

    monkeypatch.setattr(TfliteTarget, "open", unlucky)
    options = ("--precision", "fp32,int8", "--repair", "", "--no-cache")
    model = models.colours(tmp_path / "net.onnx")
    result = cli(*_arguments(demo, tmp_path / "out", *options, model=model))
    assert result.code == 1
    assert names_in(tmp_path / "out" / "models") == ["net-fp32.tflite"]
    assert "None of the files that were tried works: It does not load." in result.out
    (failed,) = _manifest(tmp_path / "out")["failures"]
    assert failed["hint"] == "Keep sensitive ops in float with --keep-float, or use dynamic."
