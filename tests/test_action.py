"""The GitHub Action: its steps, run here as a runner does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.test_compare import with_file

ROOT = Path(__file__).resolve().parents[1]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
DEMO = ROOT / "assets" / "demo"
GH = """#!/bin/sh
# Answers as GitHub's command line does for a repository whose releases are in $RELEASES.
case "$1 $2" in
    "release list") ls "$RELEASES" ;;
    "release view") ls "$RELEASES/$3" ;;
    "release download") cp "$RELEASES/$3/$5" "$7" ;;
    *) exit 1 ;;
esac
"""


@dataclass
class Runner:
    """A workflow's machine."""

    folder: Path
    inputs: dict[str, str]
    outputs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = {name: each.get("default", "") for name, each in ACTION["inputs"].items()}
        self.inputs = {**own, **self.inputs}
        for name in ("temp", "bin", "releases"):
            (self.folder / name).mkdir(exist_ok=True)
        python = f'#!/bin/sh\nexec "{sys.executable}"'
        programs = {
            "gh": GH,
            "python": f'{python} "$@"\n',
            "mobileq": f'{python} -m mobileq "$@"\n',
        }
        for name, script in programs.items():
            (self.folder / "bin" / name).write_text(script)
            (self.folder / "bin" / name).chmod(0o755)

    @property
    def out(self) -> Path:
        return self.folder / "temp" / "mobileq"

    def value(self, text: str) -> str:
        """With what `${{ }}` stands for."""
        known = {
            **{f"inputs.{name}": value for name, value in self.inputs.items()},
            "runner.temp": str(self.folder / "temp"),
            "github.action_path": str(ROOT),
            "github.token": "token",
            "github.repository": "owner/name",
        }

        def put(found: re.Match[str]) -> str:
            names = (name.strip() for name in found[1].split("||"))
            return next((known[name] for name in names if known[name]), "")

        return re.sub(r"\$\{\{(.*?)\}\}", put, text)

    def run(self, step: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        """One with `run`, as GitHub runs those of `shell: bash`."""
        files = {name: self.folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        script = self.folder / "step.sh"
        script.write_text(step["run"])
        environment = {
            **os.environ,
            **{name: str(path) for name, path in files.items()},
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "RELEASES": str(self.folder / "releases"),
            "MOBILEQ_LOG_DIR": str(self.folder / "logs"),
            "MOBILEQ_CACHE_DIR": str(self.folder / "cache"),
            **{name: self.value(value) for name, value in step.get("env", {}).items()},
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        if files["GITHUB_OUTPUT"].exists():
            lines = files["GITHUB_OUTPUT"].read_text().splitlines()
            self.outputs |= dict(line.split("=", 1) for line in lines)
        return done

    def release(self, tag: str, packed: Path) -> None:
        """Publish a file."""
        (self.folder / "releases" / tag).mkdir()
        shutil.copy(packed, self.folder / "releases" / tag)


def step(name: str) -> dict[str, Any]:
    (found,) = (each for each in STEPS if each.get("name") == name)
    return found


def test_what_it_uses_is_pinned_to_a_commit_and_the_version_stands_beside_it() -> None:
    used = [each["uses"] for each in STEPS if "uses" in each]
    assert len(used) == 2
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", each) for each in used)
    text = (ROOT / "action.yml").read_text()
    assert len(re.findall(r"uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n", text)) == len(used)


def test_inputs_reach_scripts_through_the_environment_alone() -> None:
    for each in STEPS:
        assert "${{" not in each.get("run", "")
        assert "run" not in each or each["shell"] == "bash"
    told = re.findall(r"inputs\.([a-z-]+)", (ROOT / "action.yml").read_text())
    assert set(told) == set(ACTION["inputs"])
    assert {each for each in ACTION["inputs"] if ACTION["inputs"][each].get("required")} == {
        "model",
        "images",
    }


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """On which the first release was made, with a model that has no release before it."""
    found = Runner(
        tmp_path_factory.mktemp("runner"),
        {
            "model": str(DEMO / "demo.onnx"),
            "images": str(DEMO / "validation" / "images"),
            "annotations": str(DEMO / "validation.json"),
            "convert-options": "--precision fp32",
        },
    )
    for name in ("Convert", "Validate", "Fetch the last release's bundle", "Report", "Compare"):
        done = found.run(step(name))
        assert done.returncode == 0, (name, done.stdout, done.stderr)
        if name.startswith("Fetch"):
            assert "::notice::No release has mobileq-bundle.tar.gz" in done.stdout
    return found


def test_the_first_release_has_nothing_to_be_compared_with(runner: Runner) -> None:
    assert runner.outputs.keys() == {"bundle", "packed", "report"}
    told = re.findall(r"steps\.[a-z]+\.outputs\.([a-z]+)", str(ACTION["outputs"]))
    assert set(told) == runner.outputs.keys()
    for path in runner.outputs.values():
        assert Path(path).exists()
    with tarfile.open(runner.outputs["packed"]) as packed:
        names = packed.getnames()
    assert "bundle/models/demo-fp32.tflite" in names
    kept = runner.value(step("Keep report and bundle")["with"]["path"]).split()
    assert {*kept} - {str(runner.out / "comparison.md")} == {
        runner.outputs["report"],
        runner.outputs["packed"],
    }
    assert not (runner.out / "comparison.md").exists()


def test_a_release_is_compared_with_the_last_and_fails_where_it_is_worse(runner: Runner) -> None:
    packed = Path(runner.outputs["packed"])
    runner.release("v1", packed)
    assert runner.run(step("Fetch the last release's bundle")).returncode == 0
    assert (runner.out / "before" / "bundle" / "manifest.json").exists()
    done = runner.run(step("Compare"))
    assert done.returncode == 0, done.stderr
    assert "No file lost more than 0.005." in done.stdout
    summary = (runner.folder / "GITHUB_STEP_SUMMARY").read_text()
    assert summary == (runner.out / "comparison.md").read_text()
    # What was in the release and can't be run any more.
    with_file(runner.out / "bundle", "tflite-fp32", b"no model")
    done = runner.run(step("Compare"))
    assert done.returncode == 3
    assert "tflite-fp32 is worse: it fails now." in done.stdout
    assert (runner.folder / "GITHUB_STEP_SUMMARY").read_text().count("```") == 4


def test_a_folder_may_be_the_baseline(runner: Runner) -> None:
    given = Runner(runner.folder, {**runner.inputs, "baseline": runner.outputs["bundle"]})
    assert given.run(step("Fetch the last release's bundle")).returncode == 0
    assert (given.out / "before" / "bundle" / "manifest.json").exists()


def test_where_github_does_not_answer_nothing_passes(runner: Runner) -> None:
    (runner.folder / "bin" / "gh").write_text("#!/bin/sh\nexit 1\n")
    assert runner.run(step("Fetch the last release's bundle")).returncode != 0


def test_it_installs_itself(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it stands on is here already, and none of it is to be fetched.
    for name, value in (
        ("PIP_TARGET", str(tmp_path / "installed")),
        ("PIP_NO_DEPS", "1"),
        ("PIP_NO_INDEX", "1"),
        ("PIP_NO_BUILD_ISOLATION", "false"),  # of this variable false is what switches it off
    ):
        monkeypatch.setenv(name, value)
    done = runner.run(step("Install mobileq"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "installed" / "mobileq" / "__init__.py").exists()
