"""Help, versions and slips of the keyboard."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import get_args

import pytest
import typer

import mobileq
from mobileq.cli import app

from .commands import Cli, Result, assert_explained, command_line, process

COMMANDS = (
    *("ship", "convert", "init", "inspect", "validate", "predict", "detect", "recommend", "report"),
    *("compare", "sensitivity"),
    *("verify", "demo", "android", "devices", "push", "bench", "install", "doctor", "runner"),
)
HEAVY = ("numpy", "cv2", "onnx", "onnxruntime", "tensorflow", "MNN", "matplotlib", "yaml", "rich")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from mobileq.__main__ import main\n"
        "main(['--help']); main(['convert', '--help'])\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: mobileq" in done.stdout
    assert done.stderr.split() == []


def test_help_takes_little_longer_than_what_prints_it() -> None:
    # In turns, and processor time: a busy machine stretches both alike.
    def seconds(*command: str) -> float:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        return used.ru_utime + used.ru_stime

    bare = (sys.executable, "-c", "import typer; typer.run(lambda: None)", "--help")
    pairs = [(seconds(*command_line("--help")), seconds(*bare)) for _ in range(5)]
    assert min(ours for ours, _ in pairs) < 1.5 * min(theirs for _, theirs in pairs)


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_lists_the_commands(cli: Cli, arguments: tuple[str, ...]) -> None:
    result = cli(*arguments)
    assert (result.code, result.err) == (0, "")
    assert all(f"  {command} " in result.out for command in COMMANDS)
    assert "..." not in result.out.replace("[ARGS]...", ""), "a summary was cut off"


@pytest.mark.parametrize("command", [*COMMANDS[:-1], "runner build"])
def test_every_command_explains_its_options(cli: Cli, command: str) -> None:
    result = cli(*command.split(), "--help")
    assert (result.code, result.err) == (0, "")
    assert "--json" in result.out


def test_every_option_has_help() -> None:
    group = typer.main.get_command(app)
    assert tuple(group.commands) == COMMANDS  # type: ignore[attr-defined]
    for command in group.commands.values():  # type: ignore[attr-defined]
        assert command.help
        for parameter in command.params:
            assert parameter.help, f"{command.name} {parameter.name}"


def test_help_names_every_family_and_precision(cli: Cli) -> None:
    from mobileq.preparation.recognise import families
    from mobileq.spec import Precision

    words = set(re.findall(r"[\w-]+", cli("convert", "--help").out))
    assert words >= {*families(), *get_args(Precision)}


def test_version(cli: Cli) -> None:
    assert cli("--version") == Result(0, f"mobileq {mobileq.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("conver",), "No such command 'conver'. Did you mean 'convert'? Try: `mobileq --help`"),
        (("convert", "--forse", "a", "-o", "b"), "No such option: --forse (Possible options: --fo"),
        (("convert", "a.onnx"), "Missing option '--output' / '-o'. Try: `mobileq convert --help`"),
        (("detect", "a.onnx"), "Missing argument 'IMAGES...'."),
        (("validate", "bundle"), "Missing option '--images'."),
        (("verify", "bundle", "another"), "unexpected extra argument(s) (another)"),
        (("convert", "a", "-o", "b", "--calib-count", "x"), "'--calib-count'"),
        (("detect", "a", "b", "--score", "1.5"), "'--score'"),
        (("detect", "a", "b", "--iou", "nan"), "'--iou'"),
        (("detect", "a", "b", "--score"), "'--score' requires an argument."),
        (("convert", "a", "-o", "b", "--output", "c"), "--output takes one value, and is given 2."),
        (("runner", "build", "--r8", "a", "--r8", "a"), "--r8 takes one value, and is given 2."),
        (("--json",), "No such option: --json"),
    ],
)
def test_slips_are_usage_errors(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    result = cli(*arguments)
    if "--json" in arguments:
        assert result.document["error"]["exit_code"] == 2
        result = Result(result.code, "", result.err)
    assert_explained(result, 2)
    assert words in " ".join(result.errors)


@pytest.mark.parametrize(
    ("typed", "offered"), [("sens", "sensitivity"), ("convert --cal", "--calib")]
)
def test_shells_complete_commands_and_options(typed: str, offered: str) -> None:
    words = f"mobileq {typed}"
    environment = {
        **os.environ,
        "_MOBILEQ_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = process(env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert offered in done.stdout.split()
