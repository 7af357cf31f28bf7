"""`mobileq sensitivity`."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import mobileq
from tests.graph.hostile import lingering, swelling

from . import models
from .commands import Cli, names_in
from .processes import runs, wait_until_busy
from .terminal import start_on_a_terminal

pytestmark = pytest.mark.usefixtures("children")


def _arguments(demo: Path, *more: object) -> tuple[object, ...]:
    pictures = demo / "calibration" / "images"
    count = () if "--calib-count" in more else ("--calib-count", 4)
    return ("sensitivity", demo / "demo.onnx", "--calib", pictures, *count, *more)


def test_it_prints_a_table_and_writes_json_and_chart(cli: Cli, demo: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "folder"
    result = cli(*_arguments(demo, "-o", output))
    assert result.code == 0, result.err
    assert "each group of ops alone in 8 bits, 2 pictures" in result.out
    assert "Conv + " in result.out
    assert "more groups have" in result.out
    assert "agreement: mAP50-95 of the detections" in result.out
    assert names_in(output) == ["sensitivity.json", "sensitivity.svg"]
    found = json.loads((output / "sensitivity.json").read_text())
    groups = found["groups"]
    assert [group["error"] for group in groups] == sorted(
        (group["error"] for group in groups), reverse=True
    )
    assert groups[0]["name"] in result.out
    assert groups[0]["why"] in result.out
    assert (found["head"], found["calibration_images"]) == ("raw", 4)
    chart = ElementTree.parse(output / "sensitivity.svg")
    text = "".join(chart.getroot().itertext())
    assert groups[0]["why"] in text
    assert f"the 30 most sensitive of {len(groups)} groups" in text


def test_json_is_the_one_document_and_the_function_gives_the_same(cli: Cli, demo: Path) -> None:
    result = cli(*_arguments(demo, "--json", "--samples", 1, "--head", "decoded"))
    assert result.code == 0, result.err
    document = result.document
    assert document["samples"] == 1
    assert document["head"] == "decoded"
    found = mobileq.sensitivity(
        demo / "demo.onnx",
        demo / "calibration" / "images",
        calib_count=4,
        samples=1,
        head="decoded",
    )
    assert [group["name"] for group in document["groups"]] == [g.name for g in found.groups]
    assert document["groups"][0]["error"] == pytest.approx(found.groups[0].error)


def test_pictures_without_objects_are_noted(cli: Cli, demo: Path, grey: Path) -> None:
    result = cli("sensitivity", demo / "demo.onnx", "--calib", grey)
    assert result.code == 0, result.err
    assert "The model finds nothing in the 2 pictures that groups are run on" in result.err
    assert "agreement" not in result.out


def test_a_model_of_no_known_family_is_ranked_by_noise(
    cli: Cli, demo: Path, tmp_path: Path
) -> None:
    made = models.model("g (float[1,3,8,8] x) => (float[1,16,8,8] y) { y = Conv(x, w) }")
    weights = np.random.default_rng(0).normal(0, 0.5, (16, 3, 1, 1)).astype(np.float32)
    made.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "w"))
    path = models.saved(made, tmp_path / "plain.onnx")
    result = cli("sensitivity", path, "--calib", demo / "calibration" / "images", "--json")
    assert result.code == 0, result.err
    (group,) = result.document["groups"]
    assert result.document["error_of"] == "outputs"
    assert (group["op_type"], group["agreement"]) == ("Conv", None)


def test_a_model_without_weights_has_nothing_to_rank(cli: Cli, demo: Path, tmp_path: Path) -> None:
    path = models.plain(tmp_path / "plain.onnx")
    said = cli.fails(1, "sensitivity", path, "--calib", demo / "calibration" / "images")
    assert "plain has no ops with weights that could be quantized. Try: Give a model with" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--samples", 0), "--samples must be at least 1. Try: Use 2"),
        (("--calib-count", 0), "--calib-count must be at least 1. Try: Use 64"),
        (("--head", "cooked"), "--head can't be 'cooked'. Try: Choose of: auto, raw, decoded."),
    ],
)
def test_bad_options(cli: Cli, demo: Path, arguments: tuple[object, ...], words: str) -> None:
    assert words in cli.fails(2, *_arguments(demo, *arguments))


def test_calib_must_be_given_and_be_there(cli: Cli, demo: Path, tmp_path: Path) -> None:
    assert "Missing option '--calib'" in cli.fails(2, "sensitivity", demo / "demo.onnx")
    nowhere = tmp_path / "nowhere"
    said = cli.fails(2, "sensitivity", demo / "demo.onnx", "--calib", nowhere)
    assert f"There is no file or folder {nowhere}" in said


def test_an_unreadable_model_leaves_nothing(cli: Cli, demo: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model, only words\n" * 9)
    calib = demo / "calibration" / "images"
    said = cli.fails(1, "sensitivity", path, "--calib", calib, "-o", tmp_path / "out")
    assert "is not an ONNX model" in said
    assert [name for name in names_in(tmp_path) if name != "logs"] == ["model.onnx"]


def test_an_output_that_is_a_file_is_refused_before_the_work(
    cli: Cli, demo: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    assert "is not a folder" in cli.fails(2, *_arguments(demo, "-o", file))


def test_stopped_while_writing_the_older_file_stays(
    cli: Cli, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sensitivity.json").write_text("older")

    write = Path.write_bytes

    def stop(path: Path, data: bytes) -> int:
        if path.suffix == ".json":
            raise KeyboardInterrupt
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", stop)
    result = cli(*_arguments(demo, "-o", tmp_path, "--samples", 1))
    monkeypatch.undo()
    assert result.code == 130
    assert [name for name in names_in(tmp_path) if name != "logs"] == ["sensitivity.json"]
    assert (tmp_path / "sensitivity.json").read_text() == "older"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_it_stops_while_groups_are_run(demo: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    arguments = [str(each) for each in _arguments(demo, "-o", tmp_path / "out", "--no-cache")]
    command = start_on_a_terminal([*arguments, "--samples", "4"], TMPDIR=str(temporary))
    command.until("Sensitivity")
    command.interrupt()
    assert command.end() == 130, command.shown
    assert "Error: Stopped; no file was left half-written." in command.text
    assert not (tmp_path / "out").exists()
    assert names_in(temporary) == []


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Numbers on which a hostile model shows what it is."""
    np.save(tmp_path / "large.npy", np.full((2, 3, 8, 8), 200, np.float32))
    return tmp_path / "large.npy"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_it_stops_amid_a_run_without_end(large: Path, tmp_path: Path) -> None:
    model, temporary = tmp_path / "lingering.onnx", tmp_path / "temporary"
    onnx.save(lingering(), model)
    temporary.mkdir()
    command = start_on_a_terminal(
        ["sensitivity", str(model), "--calib", str(large), "--no-cache"], TMPDIR=str(temporary)
    )
    command.until("Collecting statistics")
    below = wait_until_busy(command.process.pid, 2)
    command.interrupt()
    assert command.end() == 130, command.shown
    assert "Error: Stopped; no file was left half-written." in command.text
    assert not any(runs(pid) for pid in below)
    assert names_in(temporary) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's limits")
def test_a_model_that_swells_on_the_samples_is_refused(
    cli: Cli, large: Path, tmp_path: Path
) -> None:
    model = tmp_path / "swelling.onnx"
    onnx.save(swelling(), model)
    said = cli.fails(1, "sensitivity", model, "--calib", large, "--no-cache")
    assert "The model takes more than 3.2 GB to run once." in said
