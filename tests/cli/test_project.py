"""mobileq.toml, and `mobileq init`."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import onnx
import pytest
import typer
from onnx import helper

import mobileq
from mobileq.cli import app
from mobileq.cli.project import find_project
from mobileq.manifest import FLAGS, read_manifest

from .commands import Cli, names_in
from .models import colours, dynamic, plain

pytestmark = pytest.mark.usefixtures("children")


@pytest.fixture
def project(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the bundle in it, which is the current one; gives its mobileq.toml."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "mobileq.toml"


def test_what_the_file_says_needs_not_be_typed_and_what_is_typed_overrules_it(
    cli: Cli, project: Path
) -> None:
    project.write_text('[recommend]\nbundle = "bundle"\nmax-mb = 0.001\n')
    result = cli("recommend")
    assert result.code == 3
    assert result.err == "Note: mobileq.toml says bundle, max-mb of [recommend].\n"
    found = cli("recommend", "--max-mb", 100, "--json").document
    assert found["limits"]["max_mb"] == 100
    assert found["notices"] == ["mobileq.toml says bundle of [recommend]."]
    # Nothing is said where nothing was taken, or it is of another command.
    assert cli("verify", "bundle").err == ""
    assert cli("recommend", "bundle", "--max-mb", 100).err == ""


def test_convert_repeats_what_was_done_and_the_bundle_says_what_that_was(
    cli: Cli, project: Path, demo: Path
) -> None:
    shutil.copy(demo / "demo.onnx", project.parent)
    shutil.copytree(demo / "calibration" / "images", project.parent / "photos")
    project.write_text(
        '[convert]\noutput = "bundle"\nmodel = "demo.onnx"\ncalib = "photos"\ncalib_count = 4\n'
        'precision = ["fp32", "fp16"]\nforce = true\nno-search = false\n'
    )
    result = cli("convert", "--precision", "fp32")
    assert result.code == 0, result.err
    manifest = read_manifest(project.parent / "bundle" / "manifest.json")
    assert [each.name for each in manifest.artifacts] == ["tflite-fp32"]
    assert manifest.calibration is not None
    assert manifest.calibration.count == 4
    assert manifest.run.command == (
        *("mobileq", "convert", "--output=bundle", "--calib=photos", "--calib-count=4"),
        *("--force", "--precision", "fp32", "demo.onnx"),
    )


def test_paths_are_relative_to_the_file(
    cli: Cli, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write_text('[verify]\nbundle = "bundle"\n')
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = cli("verify", "--project", project)
    assert result.code == 0
    assert f"Note: {project} says bundle of [verify]." in result.err
    assert "Missing argument" in cli.fails(2, "verify")


def test_labels_may_be_a_file_beside_it_or_a_known_set(
    cli: Cli, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain(tmp_path / "plain.onnx")
    (tmp_path / "names.txt").write_text("a\nb\n")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    for labels in ("names.txt", "coco80"):
        project.write_text(f'[inspect]\nmodel = "plain.onnx"\nlabels = "{labels}"\n')
        assert cli("inspect", "--project", project).code == 0
    project.write_text('[inspect]\nmodel = "plain.onnx"\nlabels = "gone.txt"\n')
    assert "gone.txt" in cli.fails(2, "inspect", "--project", project)


def test_it_is_the_nearest_up_to_the_root_of_the_repository(tmp_path: Path) -> None:
    deep = tmp_path / "repository" / "models" / "demo"
    deep.mkdir(parents=True)
    (tmp_path / "mobileq.toml").touch()
    assert find_project(tmp_path) == tmp_path / "mobileq.toml"
    assert find_project(deep) is None  # no repository: what lies above has no say
    (tmp_path / "repository" / ".git").mkdir()
    assert find_project(deep) is None
    (tmp_path / "repository" / "mobileq.toml").touch()
    assert find_project(deep) == tmp_path / "repository" / "mobileq.toml"
    (deep.parent / "mobileq.toml").touch()
    assert find_project(deep) == deep.parent / "mobileq.toml"


def test_it_can_be_left_out(cli: Cli, project: Path) -> None:
    project.write_text("this is no TOML")
    assert cli("verify", "bundle", "--no-project").code == 0
    assert cli("verify", "--help").code == 0
    assert cli("--help").code == 0
    said = cli.fails(2, "verify", "bundle", "--no-project", "--project", project)
    assert "--project and --no-project exclude each other." in said
    said = cli.fails(2, "verify", "bundle", "--project", "gone.toml")
    assert "There is no file gone.toml." in said


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("this is no TOML", 1, "mobileq.toml is not valid TOML"),
        ("[recomend]\n", 2, "unknown table recomend. Try: Did you mean [recommend]?"),
        ("[runner.biuld]\n", 2, "unknown table runner.biuld. Try: Did you mean [runner.build]?"),
        ('bundle = "a"\n', 2, "unknown key outside of a command's table, bundle."),
        ("[recommend]\nmax-lost = 1\n", 2, "'max-lost' in [recommend]. Try: Did you mean max-l"),
        ("[convert]\ncalib_cuont = 1\n", 2, "[convert]. Try: Did you mean calib-count?"),
        ("[recommend]\njson = true\n", 2, "unknown key 'json'"),
        ("[recommend]\nno-project = true\n", 2, "unknown key 'no-project'"),
        ("[recommend]\nmax-mb = [1, 2]\n", 1, "`max-mb` is not one value."),
        ("[recommend]\nmax-mb = true\n", 1, "`max-mb` is not a text or a number."),
        ("[recommend]\nmax-mb = 2020-01-01\n", 1, "`max-mb` is not a text or a number."),
        ('[recommend]\nmax-mb = "much"\n', 1, "`max-mb` of [recommend]: "),
    ],
)
def test_what_is_wrong_in_the_file_is_named(
    cli: Cli, project: Path, content: str, code: int, words: str
) -> None:
    project.write_text(content)
    result = cli("recommend", "bundle")
    assert (result.code, result.out) == (code, "")
    said = " ".join(result.errors)
    assert words in said
    assert "mobileq.toml" in said
    assert "should not" not in said


def test_a_flag_is_true_or_false(cli: Cli, project: Path) -> None:
    project.write_text('[convert]\nforce = "yes"\n')
    assert "`force` is not true or false." in cli.fails(1, "convert", "a.onnx", "-o", "b")


def test_a_byte_order_mark_is_no_matter(cli: Cli, project: Path) -> None:
    project.write_text('[verify]\nbundle = "bundle"\n', encoding="utf-8-sig")
    assert cli("verify").code == 0
    project.write_bytes(b"[verify]\nbundle = '\xff'\n")
    assert "mobileq.toml cannot be read. Try: Save it as UTF-8." in cli.fails(1, "verify")


def test_what_was_typed_wrong_is_not_put_down_to_the_file(cli: Cli, project: Path) -> None:
    project.write_text('[recommend]\nbundle = "bundle"\n')
    result = cli("recommend", "--max-mb", "much")
    assert result.code == 2
    assert "Try: `mobileq recommend --help`" in result.err


def test_arguments_stand_in_the_commands_order(cli: Cli, project: Path, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "bundle", tmp_path / "later")
    project.write_text('[compare]\nafter = "later"\nbefore = "bundle"\n')
    found = cli("compare", "--json").document
    assert (found["before"], found["after"]) == ("bundle", "later")
    found = cli("compare", "later", "--json").document
    assert (found["before"], found["after"]) == ("later", "later")
    project.write_text('[report]\nbundles = ["bundle", "later"]\noutput = "a.html"\n')
    assert list(cli("report", "--json").document["ship"]) == ["bundle", "later"]


def test_init_writes_a_file_that_convert_takes(
    cli: Cli, tmp_path: Path, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    shutil.copy(demo / "demo.onnx", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    result = cli("init", "models/demo.onnx")
    assert (result.code, result.err) == (0, "")
    assert "yolov8; detect; input images [1, 3, 160, 160]; letterbox to 160x160" in result.out
    text = (tmp_path / "mobileq.toml").read_text()
    assert "4 classes" in " ".join(text.replace("# ", "").split())
    assert tomllib.loads(text)["convert"]["model"] == "models/demo.onnx"
    assert cli("convert", "--precision", "fp32").code == 0
    assert cli("verify", "demo-bundle").code == 0
    assert cli("recommend").code == 0


def test_all_that_init_offers_in_comments_is_known(cli: Cli, demo: Path, tmp_path: Path) -> None:
    path = tmp_path / "mobileq.toml"
    assert cli("init", demo / "demo.onnx", "-o", path).code == 0
    offered = re.sub(r"(?m)^# (?=[a-z-]+ = )", "", path.read_text())
    assert offered.count("\ncalib = ") == offered.count("\nfail-if-worse = ") == 1
    group = typer.main.get_command(app)
    for section, table in tomllib.loads(offered).items():
        options = {
            max(each.opts, key=len).lstrip("-")
            for each in group.commands[section].params  # type: ignore[attr-defined]
        }
        assert table.keys() <= options, section


def test_init_never_overwrites_unless_told_to(
    cli: Cli, tmp_path: Path, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mobileq.toml"
    path.write_text("mine, and no TOML")
    assert "mobileq.toml exists already." in cli.fails(2, "init", demo / "demo.onnx")
    assert path.read_text() == "mine, and no TOML"
    assert cli("init", demo / "demo.onnx", "--force").code == 0
    assert "[convert]" in path.read_text()
    assert [each for each in names_in(tmp_path) if each.startswith(".")] == []


def test_init_keeps_what_was_said_of_the_model(cli: Cli, tmp_path: Path) -> None:
    model, path = dynamic(tmp_path / "open.onnx"), tmp_path / "sub" / "mobileq.toml"
    (tmp_path / "names.txt").write_text("a\nb\n")
    said = ("--input-shape", "images:1,3,32,32", "--labels", tmp_path / "names.txt")
    result = cli("init", model, "-o", path, *said, "--json")
    assert result.code == 0, result.err
    table = tomllib.loads(path.read_text())["convert"]
    assert table["input-shape"] == ["images:1,3,32,32"]
    assert (table["labels"], table["model"]) == ("../names.txt", "../open.onnx")
    assert "What its outputs mean is not known" in path.read_text()
    assert result.document["path"] == str(path)


def test_names_from_a_model_stay_in_their_comment(tmp_path: Path) -> None:
    made = onnx.load(colours(tmp_path / "colours.onnx"))
    del made.metadata_props[:]
    names = ["red\n[convert]\nforce = 1", "gr\x1ben", "blue", "white"]
    helper.set_model_props(made, {"names": str(names), "task": "classify"})
    onnx.save(made, tmp_path / 'a "b".onnx')
    found = mobileq.init(tmp_path / 'a "b".onnx', tmp_path / "mobileq.toml")
    assert found.path == str(tmp_path / "mobileq.toml")
    table = tomllib.loads((tmp_path / "mobileq.toml").read_text())["convert"]
    assert table["model"] == 'a "b".onnx'
    assert table["force"] is True


def test_init_of_what_is_no_onnx_model(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "mobileq.toml"
    made = bundle / "models" / "demo-fp32.tflite"
    assert "is converted already." in cli.fails(1, "init", made, "-o", path)
    assert "is converted already." in cli.fails(1, "init", bundle, "-o", path)
    assert "There is no file" in cli.fails(2, "init", tmp_path / "gone.onnx", "-o", path)
    assert not path.exists()


def test_a_kept_command_line_is_read_with_the_flags_that_there_are() -> None:
    group: Any = typer.main.get_command(app)
    options = [each for name in ("convert", "ship", "demo") for each in group.commands[name].params]
    flags = {name for each in options if getattr(each, "is_flag", False) for name in each.opts}
    assert flags - {"--help", "-h"} == set(FLAGS)
