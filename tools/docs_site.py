"""What MkDocs is given beside docs/: pages made of the code, and texts from outside that folder.

A hook of mkdocs.yml (https://www.mkdocs.org/user-guide/configuration/#hooks, MkDocs 1.6).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import docs_api
import docs_commands
import docs_schemas
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "measuring.md",
}
"""Where texts from outside docs/ stand on the site."""
MADE = {
    "commands.md": docs_commands.page,
    "api.md": docs_api.page,
    "schemas.md": docs_schemas.page,
}
_LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)\s]*)?\))")


def on_files(files: Files, config: Any) -> Files:
    """Add what is not in the folder."""
    for name, make in MADE.items():
        files.append(File.generated(config, name, content=make()))
    for source, name in OUTSIDE.items():
        text = linked(ROOT / source, (ROOT / source).read_text())
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links out of docs/ lead to where these texts stand on the site."""
    return linked(Path(config.docs_dir) / page.file.src_uri, markdown)


def linked(page: Path, markdown: str) -> str:
    """Links as they are from the site's top, where `page` lies outside docs/ or leads out of it."""

    def replaced(match: re.Match[str]) -> str:
        target = (page.parent / match[2]).resolve()
        if target.is_relative_to(ROOT):
            path = target.relative_to(ROOT).as_posix()
            inside = path.removeprefix("docs/") if path.startswith("docs/") else None
            if known := OUTSIDE.get(path, inside):
                return f"{match[1]}{known}{match[3]}"
        return match[0]

    return _LINK.sub(replaced, markdown)
