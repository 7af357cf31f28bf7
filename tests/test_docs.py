"""The docs site, and what the docs say of the code."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import mobileq
from tests.cli.test_help import COMMANDS

ROOT = Path(__file__).resolve().parents[1]


def tool(name: str) -> ModuleType:
    """A program of tools/."""
    found = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def mkdocs(output: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """As `make docs` calls it."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(output), *more],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built strictly: links and anchors that lead nowhere are errors."""
    folder = tmp_path_factory.mktemp("site")
    done = mkdocs(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_pages_fetch_nothing_from_other_hosts(site: Path) -> None:
    fetched = re.compile(
        r"<(?:script|img|iframe|link(?![^>]*rel=\"?canonical))[^>]*(?:src|href)=[\"']?(?:https?:)?//"
    )
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        assert not fetched.findall(page.read_text()), page.name


def test_every_command_and_function_has_its_place(site: Path) -> None:
    commands = (site / "commands.html").read_text()
    for name in COMMANDS:
        assert re.search(rf'<h2 id="{name}[-"]', commands), name
    api = (site / "api.html").read_text()
    for name in mobileq.__all__:
        assert name.startswith("__") or f'<h3 id="{name.lower()}"' in api, name
    assert "mnn_method: MnnMethod" in re.sub("<[^>]*>", "", api), "what targets bring is told, too"


def test_a_dead_link_and_a_dead_anchor_are_errors(tmp_path: Path) -> None:
    settings = (ROOT / "mkdocs.yml").read_text().split("nav:\n")[0]
    settings = re.sub(r"(?m)^(hooks|site_dir): .*\n", "", settings)
    (tmp_path / "docs").mkdir()
    (tmp_path / "mkdocs.yml").write_text(settings)
    (tmp_path / "docs" / "index.md").write_text("# A\n\n[there](gone.md), [here](#nowhere)\n")
    done = mkdocs(tmp_path / "site", "-f", str(tmp_path / "mkdocs.yml"))
    assert done.returncode == 1
    assert "gone.md" in done.stderr
    assert "#nowhere" in done.stderr


def test_schemas_are_those_of_the_types() -> None:
    folder = ROOT / "docs" / "schemas"
    kept = {path.name: path.read_text() for path in folder.iterdir()}
    assert kept == tool("docs_schemas").schemas(), "run: python tools/docs_schemas.py"


def told(node: ast.AST) -> str:
    """A sentence in the source, with `...` for what is put in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            told(each) if isinstance(each, ast.Constant) else "..." for each in node.values
        )
    return ""


def letters(sentence: Any) -> str:
    """Without what is put in, and how it is quoted."""
    return re.sub(r"\s+", " ", re.sub(r"[`'\"]?\.\.\.[`'\"]?", "", sentence)).strip(" .")


def test_every_message_that_the_docs_explain_is_one_that_is_printed() -> None:
    printed = {
        letters(told(node))
        for path in (ROOT / "mobileq").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant | ast.JoinedStr)
    }
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    explained = re.findall(r"(?m)^### (.*)$", page)
    assert len(explained) > 20
    for message in explained:
        assert letters(message) in printed, message
