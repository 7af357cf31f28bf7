from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobileq.errors import InputError, MobileqError, UsageError
from mobileq.preparation.labels import (
    default_labels,
    parse_names,
    read_labels,
    require_count,
)


def test_ultralytics_names_are_read() -> None:
    assert parse_names("{0: 'person', 1: 'it\\'s'}") == ("person", "it's")


def test_json_names_are_read() -> None:
    assert parse_names('{"1": "b", "0": "a"}') == ("a", "b")
    assert parse_names('["a", "b"]') == ("a", "b")


def test_missing_index_becomes_a_numbered_class() -> None:
    assert parse_names("{0: 'a', 2: 'c'}") == ("a", "class 1", "c")


def test_name_is_made_one_printable_line() -> None:
    assert parse_names(r"['a\nb\x1b[31m', '  ']") == ("a b [31m", "class 1")


def test_overlong_name_is_cut() -> None:
    assert parse_names(str(["x" * 10_000])) == ("x" * 200,)


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "__import__('os').system('true')",
        "{0: __import__('os')}",
        "(" * 100_000,
        "[" * 50_000 + "]" * 50_000,
        "-" * 100_000 + "1",
        "- " * 100_000 + "1",
        "{" + "0:{" * 5_000,
        "{99999999999: 'a'}",
        "{9999999: 'a'}",
        "{-1: 'a'}",
        "{True: 'a'}",
        "{0: [1]}",
        "{}",
        "[]",
        "1" * 1_000_000,
        "'" + "a" * 2_000_000 + "'",
        "{0: 'a'} " * 3,
        "\0",
        "{1, 2}",
        "9**9**9",
    ],
    ids=range(21),
)
def test_hostile_names_give_nothing(hostile: str) -> None:
    assert parse_names(hostile) is None


@given(st.text())
def test_any_text_gives_names_or_nothing(text: str) -> None:
    names = parse_names(text)
    assert names is None or all(name and name.isprintable() for name in names)


@given(
    st.lists(st.text(st.characters(categories=("L", "Nd")), min_size=1, max_size=20), min_size=1)
)
def test_names_written_as_python_are_read_back(names: list[str]) -> None:
    assert parse_names(str(dict(enumerate(names)))) == tuple(names)


def test_builtin_lists_have_the_usual_numbering() -> None:
    coco80, coco91 = read_labels("coco80"), read_labels("coco91")
    assert len(coco80) == len(set(coco80)) == 80
    assert (coco80[0], coco80[5], coco80[79]) == ("person", "bus", "toothbrush")
    # Category ids of COCO: 13 stop sign, 27 backpack, 44 bottle, 67 dining table, 90 toothbrush.
    assert len(coco91) == 90
    assert [coco91[i - 1] for i in (1, 13, 27, 44, 67, 90)] == [
        "person", "stop sign", "backpack", "bottle", "dining table", "toothbrush",
    ]  # fmt: skip
    gaps = [i for i, name in enumerate(coco91, 1) if name == f"unused {i}"]
    assert gaps == [12, 26, 29, 30, 45, 66, 68, 69, 71, 83]


def test_text_file_with_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffcafé\r\nstop sign\r\n\r\n".encode())
    assert read_labels(path) == ("café", "stop sign")
    assert read_labels(str(path)) == ("café", "stop sign")


def test_list_of_names_is_taken() -> None:
    assert read_labels(["a", " b\n"]) == ("a", "b")


def test_empty_line_between_names_is_refused_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("a\n\nb\n")
    with pytest.raises(InputError, match="Line 2"):
        read_labels(path)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [no, 1e3]", ("no", "1e3")),
        ("nc: 2\nnames:\n  0: a\n  1: b\n", ("a", "b")),
        ("nc: 2", ("class 0", "class 1")),
    ],
)
def test_data_yaml_is_read(tmp_path: Path, text: str, names: tuple[str, ...]) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(text)
    assert read_labels(path) == names


def test_json_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text('["a", "b"]')
    assert read_labels(path) == ("a", "b")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "0 names"),
        ("a.txt", b"\xff\xfe", "not UTF-8"),
        ("a.txt", b"a" * (1 << 21), "too much for"),
        ("a.json", b"{", "no list of class names"),
        ("a.yaml", b"names: [", "not valid YAML"),
        ("a.yaml", b"[" * 3000, "not valid YAML"),
        ("a.yaml", b"train: x", "no class names"),
        ("a.yaml", b"- a", "no class names"),
        ("a.yaml", b"nc: 3\nnames: [a, b]", "names 2 classes but says nc: 3"),
        ("a.yaml", b"nc: 99999", "no class names"),
    ],
)
def test_unusable_file_is_an_input_error(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_labels(path)


def test_missing_file_is_a_usage_error_that_names_the_builtins(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file of labels") as caught:
        read_labels(tmp_path / "coco.txt")
    assert "coco80 or coco91" in caught.value.hint


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 5000])
def test_impossible_path_is_refused(path: str) -> None:
    with pytest.raises(MobileqError):
        read_labels(path)


def test_wrong_number_says_both_numbers() -> None:
    require_count(default_labels(3), 3)
    with pytest.raises(InputError, match="There are 3 labels, but the model has 80 classes"):
        require_count(default_labels(3), 80)
