"""What goes to which stream: pipes that are closed, terminals, colours, one JSON document."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .commands import Cli, command_line, process
from .terminal import on_a_terminal

pytestmark = pytest.mark.usefixtures("children")


@pytest.fixture
def pictures(demo: Path) -> Path:
    return demo / "validation" / "images"


def test_output_that_is_no_terminal_holds_no_escape_codes(
    demo: Path, bundle: Path, pictures: Path, tmp_path: Path
) -> None:
    for arguments in (
        ("convert", demo / "demo.onnx", "-o", tmp_path / "out", "--precision", "fp32"),
        ("inspect", demo / "demo.onnx"),
        ("detect", bundle, pictures / "000.jpg"),
        ("verify", bundle),
        ("verify", tmp_path),
        ("--help",),
    ):
        done = process(*arguments)
        assert done.stdout or done.stderr
        assert "\x1b" not in done.stdout + done.stderr
        # Tools' banners would be here.
        assert all(
            line.startswith(("Note: ", "Error: ", "Try: ")) for line in done.stderr.splitlines()
        ), done.stderr


def test_a_terminal_gets_colours_unless_no_color_is_set(tmp_path: Path) -> None:
    code, shown = on_a_terminal(["verify", str(tmp_path)])
    assert code == 1
    assert "\x1b[1;31mError:" in shown
    code, shown = on_a_terminal(["verify", str(tmp_path)], NO_COLOR="1")
    assert code == 1
    assert "Error:" in shown
    assert not any(f"\x1b[{colour}" in shown for colour in ("31", "1;31", "32", "33"))


def test_progress_is_shown_on_a_terminal_and_gone_at_the_end(demo: Path, tmp_path: Path) -> None:
    arguments = ["convert", str(demo / "demo.onnx"), "-o", str(tmp_path / "out")]
    arguments += ["--precision", "fp32", "--no-cache", "--calib"]
    arguments += [str(demo / "calibration" / "images"), "--calib-count", "4"]
    code, shown = on_a_terminal(arguments, width=80)
    assert code == 0
    assert "Converting with onnx2tf" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    counts = {"Reading calibration pictures": 4, "Running the ONNX model": 4, "Verifying": 6}
    for stage, count in counts.items():  # files are verified on two probes as well
        assert re.search(rf"{stage} .*\d/{count}", plain), f"pieces of {stage} are counted"
    end = shown[shown.rindex("compared with ONNX Runtime") :]
    assert "Writing" not in end
    table = [line for line in end.splitlines() if "│" in line or "┃" in line]
    assert len(table) == 2, "header and one row: nothing is folded at 80 columns"


def test_tables_fit_into_80_columns(bundle: Path, pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "000.jpg").write_bytes((pictures / "000.jpg").read_bytes())
    code, shown = on_a_terminal(["validate", str(bundle), "--images", str(folder)], width=80)
    assert code == 0
    table = [line for line in shown.splitlines() if "│" in line or "┃" in line]
    assert len(table) == 5, "header and four files"


@pytest.mark.parametrize("arguments", [("inspect", "--json"), ("inspect",), ("--help",)])
def test_a_reader_that_stops_is_no_error_on_the_screen(
    demo: Path, arguments: tuple[str, ...]
) -> None:
    model = (demo / "demo.onnx",) if "inspect" in arguments else ()
    child = subprocess.Popen(
        command_line(*arguments, *model), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    said = child.stderr.read()
    child.stderr.close()
    assert child.wait(60) == 1
    assert said == b""


def test_a_reader_of_one_line_gets_it(demo: Path) -> None:
    line = " ".join(map(str, command_line("inspect", demo / "demo.onnx", "--json")))
    done = subprocess.run(f"{line} | head -1", shell=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_a_closed_stdout_is_no_bug(demo: Path) -> None:
    line = " ".join(map(str, command_line("inspect", demo / "demo.onnx")))
    done = subprocess.run(f"{line} >&-", shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_a_full_disk_under_stdout_is_explained(demo: Path, flag: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command_line("inspect", demo / "demo.onnx", *flag),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    message, remedy = done.stderr.splitlines()
    assert message.startswith("Error: No space left on device")
    assert remedy.startswith("Try: Free some disk space")


def _failing(demo: Path, tmp_path: Path) -> list[tuple[tuple[Any, ...], int]]:
    missing = tmp_path / "missing"
    (tmp_path / "damaged.onnx").write_text("words")
    return [
        (("convert", missing, "-o", tmp_path / "out"), 2),
        (("convert", tmp_path / "damaged.onnx", "-o", tmp_path / "out"), 1),
        (("inspect", missing), 2),
        (("validate", missing, "--images", missing), 2),
        (("detect", demo / "demo.onnx", missing), 2),
        (("verify", missing), 2),
        (("verify", tmp_path), 1),
        (("demo", "-o", tmp_path), 2),
        (("inspect", "--no-such-option"), 2),
    ]


def test_errors_are_a_document_too_with_json(cli: Cli, demo: Path, tmp_path: Path) -> None:
    for arguments, code in _failing(demo, tmp_path):
        result = cli(*arguments, "--json")
        assert result.code == code
        document = result.document
        error = document.pop("error")
        assert document == {"notices": []}
        assert set(error) == {"message", "hint", "exit_code"}
        assert error["exit_code"] == code
        # A person who looks at the log of a script finds the same sentences.
        assert result.errors == [f"Error: {error['message']}", f"Try: {error['hint']}"]


def test_errors_with_json_come_with_the_notices_before_them(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mobileq.workflows.convert as workflow

    options = ("--precision", "fp32", "--io", "int8", "--keep-float", "x")
    arguments = ("convert", tmp_path / "none.onnx", "-o", tmp_path / "out", *options)
    said = [line for line in cli(*arguments).err.splitlines() if line.startswith("Note: ")]
    assert len(said) == 2
    for break_it, code in ((None, 2), (KeyboardInterrupt, 130), (RuntimeError, 1)):
        if break_it is not None:
            monkeypatch.setattr(workflow, "ResultCache", _raising(break_it))
        result = cli(*arguments, "--json")
        assert result.code == code
        assert [f"Note: {notice}" for notice in result.document["notices"]] == said
        assert len(result.err.splitlines()) == len(result.errors), "they are in the document"
    # The next command has none of them, also where it does not get as far as a console.
    assert cli("inspect", "--no-such-option", "--json").document["notices"] == []
    assert cli("inspect", tmp_path / "none.onnx", "--json").document["notices"] == []


def _raising(error: type[BaseException]) -> Callable[..., None]:
    def fail(**_: object) -> None:
        raise error

    return fail


def test_a_bug_is_one_sentence_that_names_the_log(
    cli: Cli, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mobileq.workflows.inspect as workflow

    def broken(*_: object) -> None:
        raise RuntimeError("the secret of the bug")

    monkeypatch.setattr(workflow, "inspect", broken)
    for flag in ((), ("--json",)):
        result = cli("inspect", demo / "demo.onnx", *flag)
        assert result.code == 1
        assert result.err.startswith("Error: mobileq failed in a way it should not; the details ")
        assert "secret" not in result.err
        assert "Traceback" not in result.err + result.out
        [log] = (tmp_path / "logs").iterdir()
        assert str(log) in result.err
        assert "RuntimeError: the secret of the bug" in log.read_text()
    assert json.loads(result.out)["error"]["exit_code"] == 1


def test_warnings_of_libraries_go_to_the_log(tmp_path: Path) -> None:
    code = (
        "import warnings\n"
        "from mobileq import __main__\n"
        "__main__.main = lambda: warnings.warn('noise of a library') or 0\n"
        "__main__.run()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    [log] = (tmp_path / "logs").iterdir()
    assert "UserWarning: noise of a library" in log.read_text()


def test_a_log_that_cannot_be_written_is_silent(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {**os.environ, "MOBILEQ_LOG_DIR": str(tmp_path / "file" / "logs")}
    done = process("verify", tmp_path, env=environment)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 2


def test_results_do_not_depend_on_the_current_folder(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder `onnx` or `rich` where a person works is not imported in place of the package."""
    (tmp_path / "rich").mkdir()
    (tmp_path / "rich" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    program = Path(sys.executable).with_name("mobileq")
    if not program.is_file():
        pytest.skip("the console script is not installed beside this Python")
    done = subprocess.run(
        [program, "inspect", demo / "demo.onnx"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
