"""What holds of every file here: it is short enough to be read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_LINES = 400
MOST_LINES_OF_A_BODY = 60
"""Without the signature and the docstring: the options of a command are its help."""


def sources() -> Iterator[Path]:
    for folder in ("mobileq", "tools", "benchmarks", "tests"):
        yield from sorted((ROOT / folder).rglob("*.py"))
    for folder in ("android_template", "android_runner"):
        yield from sorted((ROOT / folder).rglob("*.java"))


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body
    if len(body) > 1 and ast.get_docstring(function) is not None:
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_no_file_is_too_long():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()
    }
    assert len(lengths) > 500
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_no_function_is_too_long():
    lengths = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": body_length(node)
        for path in sources()
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(lengths) > 4000
    assert {place: n for place, n in lengths.items() if n > MOST_LINES_OF_A_BODY} == {}
