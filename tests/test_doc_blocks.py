"""Every block of README and docs/ is run, or says why not."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import cv2
import jsonschema
import onnx
import pytest
from onnx import TensorProto, helper

import mobileq
from mobileq.__main__ import main
from mobileq.preparation.spec_file import read_spec_file
from mobileq.targets.info import TargetOption
from mobileq.targets.registry import target_options
from tests.device.fixtures import Phones, adb_server, phones
from tests.doc_blocks import ROOT, Block, blocks, missing, pages

__all__ = ["adb_server", "phones"]

DEMO = ROOT / "assets" / "demo"
SHOWN = {"", "text", "json", "yaml"}
"""Kinds of blocks that show something and have nothing to run."""
pytestmark = pytest.mark.usefixtures("children")
BLOCKS = [block for page in pages() for block in blocks(page)]


def two_inputs(path: Path) -> None:
    """The demo with a second input, as D-FINE has one; it changes nothing."""
    model = onnx.load(DEMO / "demo.onnx")
    graph = model.graph
    sizes = helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2])
    output = graph.output[0].name
    for node in graph.node:
        node.output[:] = ["before" if name == output else name for name in node.output]
    graph.input.append(sizes)
    graph.initializer.append(helper.make_tensor("nothing", TensorProto.FLOAT, [1], [0.0]))
    graph.node.extend(
        [
            helper.make_node("Cast", ["orig_target_sizes"], ["sizes"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", ["sizes"], ["largest"], keepdims=0),
            helper.make_node("Mul", ["largest", "nothing"], ["zero"]),
            helper.make_node("Add", ["before", "zero"], [output]),
        ]
    )
    onnx.save(model, path)


def prepare(folder: Path) -> None:
    """What the docs name."""
    shutil.copy(DEMO / "demo.onnx", folder / "detector.onnx")
    two_inputs(folder / "dfine.onnx")
    shutil.copy(DEMO / "validation.json", folder / "val.json")
    for source, target in (("calibration", "photos"), ("validation", "val")):
        (folder / target).mkdir()
        for picture in sorted((DEMO / source / "images").iterdir())[:8]:
            shutil.copy(picture, folder / target)
    shutil.copy(folder / "val" / "000.jpg", folder / "street.jpg")
    frame = cv2.imread(str(folder / "street.jpg"))
    height, width = frame.shape[:2]
    writer = cv2.VideoWriter(
        str(folder / "street.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (width, height)
    )
    for _ in range(3):
        writer.write(frame)
    writer.release()
    (folder / "names.txt").write_text("circle\nsquare\ntriangle\nstar\n")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all blocks: one search for int8 is enough."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def folder(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with what the docs name."""
    here = tmp_path / "here"
    here.mkdir()
    prepare(here)
    monkeypatch.chdir(here)
    monkeypatch.setenv("MOBILEQ_CACHE_DIR", str(cache))
    monkeypatch.setenv("MOBILEQ_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("COLUMNS", "120")
    return here


def run_commands(block: Block) -> None:
    """All of its commands: each ends, and prints, as the docs show it."""
    commands = block.commands
    for words, told in commands:
        assert words[0] == "mobileq", f"{block}: only mobileq's commands can be run here"
        if words[1] == "convert":  # another page may have made it, from the same cache
            shutil.rmtree(words[words.index("-o") + 1], ignore_errors=True)
        with redirect_stdout(io.StringIO()) as printed, redirect_stderr(printed):
            code = main(words[1:])
        is_last = words is commands[-1][0]
        wanted = int(block.said.get("exit code", 0)) if is_last else 0
        assert code == wanted, f"{block}: {words}\n{printed.getvalue()}"
        lacks = "" if "output" in block.said else missing(told, printed.getvalue())
        assert not lacks, f"{block} shows {lacks!r}, and printed is:\n{printed.getvalue()}"


def test_blocks_are_of_a_kind_and_commands_stand_in_those_that_are_run() -> None:
    for block in BLOCKS:
        assert block.kind in {"console", "python", "toml", *SHOWN}, block
        if block.kind in SHOWN:
            for line in block.text.splitlines():
                assert not line.startswith(("$ ", "mobileq ")) or "/" in line.split()[0], block
        elif block.kind == "console":
            assert block.commands, block


@pytest.mark.slow
def test_the_console_blocks_run_and_print_what_they_show(folder: Path, phones: Phones) -> None:
    for state in ("device", "unauthorized"):
        phones(state=state)
    for block in BLOCKS:
        if block.kind == "console" and "not run" not in block.said:
            run_commands(block)
    for name in ("manifest", "report", "recipe"):
        schema = json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text())
        document = json.loads((folder / "detector-bundle" / f"{name}.json").read_text())
        jsonschema.validate(document, schema, jsonschema.Draft202012Validator)
        with pytest.raises(jsonschema.ValidationError, match="another"):
            jsonschema.validate({**document, "another": 1}, schema)


@pytest.mark.slow
def test_the_python_blocks_run(
    folder: Path, phones: Phones, capsys: pytest.CaptureFixture[str]
) -> None:
    phone = phones()
    for page in ("README.md", "docs/python.md"):
        names: dict[str, object] = {}
        shutil.rmtree("detector-bundle", ignore_errors=True)
        for block in blocks(page):
            if block.kind == "python":
                exec(compile(block.text, str(block), "exec"), names)
    out, err = capsys.readouterr()
    assert "demo" not in err
    assert "There is no picture no-such.jpg." in out
    assert f"{phone.serial} device 15" in out
    assert (folder / "drawn" / "street.mp4").is_file()
    assert (folder / "app" / "settings.gradle").is_file()
    run = names["run"]
    assert isinstance(run, mobileq.DetectionRun)
    assert run[0].objects
    assert len(repr(names["bundle"])) < 100
    for result in ("manifest", "bundle", "run", "validation", "inspection", "sensitivity"):
        assert len(repr(names[result])) < 300
        html = names[result]._repr_html_()  # type: ignore[attr-defined]
        assert html.startswith("<div>")
        assert "<table>" in html
    assert "data:image/jpeg" in run._repr_html_()
    picture = run[0]
    assert len(picture.objects) == len(picture.xyxy) == len(picture.score) == len(picture.class_id)
    (folder / "street.jpg").unlink()
    assert "data:image" not in picture._repr_html_(), "the picture is gone, the table stays"
    assert "<table>" in picture._repr_html_()


def test_the_tables_of_spec_files_are_read(folder: Path) -> None:
    (folder / "labels.txt").write_text("one\n")
    found = [block for block in blocks("docs/spec-file.md") if block.kind == "toml"]
    assert found
    for block in found:
        (folder / "model.toml").write_text(block.text)
        read_spec_file(folder / "model.toml")


def test_the_option_that_the_docs_show_is_that_of_the_target() -> None:
    (block,) = blocks("docs/runtimes.md")
    shown = eval(block.text, {"TargetOption": TargetOption})
    assert shown == target_options()["mnn_method"]
