"""What a person sees is what was said, and `--json` leaves stdout to the document."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from mobileq.console import Console, print_bug, print_error
from mobileq.errors import InputError
from mobileq.spec import QuantParams

ODD = "a[/b] [red]c[/red] :car: \\[d] {e} \\"
LONG = "word " * 60 + "/a/path/" + "x" * 120 + "."


def test_text_is_printed_as_it_is(capsys):
    console = Console()
    console.line(ODD)
    console.notice(ODD)
    print_error(InputError(f"{ODD}.", f"try {ODD}"))
    out, err = capsys.readouterr()
    assert out == f"{ODD}\n"
    assert err == f"Note: {ODD}\nError: {ODD}.\nTry: try {ODD}\n"


def test_table_shows_titles_columns_and_cells_as_they_are(capsys):
    Console().table((f"1{ODD}", f"2{ODD}"), [(f"3{ODD}", f"4{ODD}")], f"5{ODD}")
    out = capsys.readouterr().out
    assert all(f"{number}{ODD}" in out for number in range(1, 6))


def test_control_characters_are_shown_and_not_obeyed(capsys):
    console = Console()
    text = "a\x1b[31m  b\r\nc\x00 \udcff\u202e"
    console.line(text)
    console.notice(text)
    console.table(("label",), [(text,)])
    print_error(InputError(f"{text}."))
    out, err = capsys.readouterr()
    shown = "a\\x1b[31m  b c\\x00 \\udcff\\u202e"
    assert out.startswith(f"{shown}\n")
    assert f" {shown} " in out
    assert err == f"Note: {shown}\nError: {shown}.\n"


def test_sentences_are_not_broken_into_lines(capsys):
    console = Console()
    console.line(LONG)
    console.notice(LONG)
    print_error(InputError(LONG, LONG))
    print_bug(LONG)
    out, err = capsys.readouterr()
    assert out == f"{LONG}\n"
    lines = err.splitlines()
    assert lines[:3] == [f"Note: {LONG}", f"Error: {LONG}", f"Try: {LONG}"]
    assert f"the details are in {LONG}" in lines[3]


def test_error_without_a_remedy_is_one_line(capsys):
    print_error(InputError("It broke."))
    assert capsys.readouterr().err == "Error: It broke.\n"


def test_bug_names_the_log(capsys):
    print_bug("/logs/[1].log")
    assert "the details are in /logs/[1].log." in capsys.readouterr().err


def test_notice_is_given_once(capsys):
    console = Console()
    for text in ("one", "two", "one"):
        console.notice(text)
    assert capsys.readouterr().err == "Note: one\nNote: two\n"


def test_numbers_are_set_to_the_right(capsys):
    rows = [("a", "1.5 MB", "x"), ("bcd", "1,024.25 MB", "yy"), ("e", "-", "z")]
    Console().table(("name", "how large it is", "kind"), rows)
    lines = capsys.readouterr().out.splitlines()
    cells = [[cell for cell in line.split("│")] for line in lines if "MB" in line]
    assert [cell[2] for cell in cells] == ["          1.5 MB ", "     1,024.25 MB "]
    assert cells[0][1].startswith(" a  ")
    assert cells[0][3] == " x    "


def test_names_that_are_too_long_for_a_table_stand_whole_above_their_figures(capsys):
    name = "/model/stage1/" + "cv1/" * 24 + "Conv_output_0 [b]"
    Console().table(("op", "tensor", "share"), [("Conv", name, "1.5%"), ("Add", "x", "12%")], "t")
    assert capsys.readouterr().out.splitlines() == [
        "t",
        "tensor, and below each:",
        "  op    share",
        name,
        "  Conv   1.5%",
        "x",
        "  Add     12%",
    ]


def test_a_long_name_that_repeats_stands_once(capsys):
    name = "model-of-a-long-name-" * 9
    rows = [(name, "a", "1x3"), (name, "b", "1x4"), ("x", "a", "1x3")]
    Console().table(("file", "output", "shape"), rows)
    assert capsys.readouterr().out.splitlines()[2:] == [
        name, "  a       1x3", "  b       1x4", "x", "  a       1x3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "right"), [(("50 %", "7%"), True), (("exact", "7"), False), (("", "3e-4"), True)]
)
def test_column_of_numbers_is_known_as_one(capsys, cells, right):
    Console().table(("", "a wide title"), [("x", cell) for cell in cells])
    line = next(line for line in capsys.readouterr().out.splitlines() if cells[1] in line)
    assert line.split("│")[2].endswith(f" {cells[1]} ") == right


def test_json_leaves_stdout_to_the_document(capsys):
    console = Console(json=True)
    console.line("a line")
    console.table(("a",), [("b",)], "title")
    console.notice("a notice")
    with console.stage("work", 3) as advance:
        advance()
    console.document({"quant": QuantParams(scale=(0.5,), zero_point=(1,)), "ü": None})
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "quant": {"scale": [0.5], "zero_point": [1], "axis": None},
        "ü": None,
        "notices": ["a notice"],
    }


def test_stage_is_silent_without_a_terminal(capsys):
    with Console().stage("work", 2) as advance:
        advance()
    assert capsys.readouterr() == ("", "")


ON_A_TERMINAL = """
import time
from mobileq.console import Console
console = Console()
with console.stage("Reading a[/b] :car: [red]", 2) as advance:
    advance()
    time.sleep(0.2)
    console.notice("meanwhile")
with console.stage("Of unknown length") as advance:
    advance()
    time.sleep(0.2)
print("done")
"""


def test_stage_shows_a_bar_on_a_terminal():
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL],
        stderr=theirs,
        stdout=subprocess.PIPE,
        env=environment,
    ) as program:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
        assert program.stdout is not None
        assert program.stdout.read() == b"done\n"
    os.close(ours)
    assert program.returncode == 0
    text = shown.decode()
    assert "Reading a[/b] :car: [red]" in text
    assert "1/2" in text
    assert "Note: meanwhile" in text
    assert "Of unknown length" in text


def test_sentences_break_between_words_on_a_terminal_and_paths_stay_whole():
    path = "/a/path/" + "x" * 70
    program = (
        f"from mobileq.console import Console\nConsole().notice('{'word ' * 20}ends-in {path}.')"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "60", "NO_COLOR": "1"}
    done = subprocess.run([sys.executable, "-c", program], stderr=theirs, env=environment)
    os.close(theirs)
    lines = os.read(ours, 65536).decode().splitlines()
    os.close(ours)
    assert done.returncode == 0
    assert lines[-1] == f"{path}."
    assert all(len(line) <= 60 for line in lines[:-1])
    assert " ".join(line.strip() for line in lines) == f"Note: {'word ' * 20}ends-in {path}."
