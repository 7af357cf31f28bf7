"""The page of all commands, from the command line's own objects: what `--help` says."""

from __future__ import annotations

import html
import inspect
from collections.abc import Iterator
from typing import Any

import typer


def page() -> str:
    """commands.md."""
    from mobileq.cli import app

    group = typer.main.get_command(app)
    context = group.context_class(group, info_name="mobileq")
    lines = [
        "# Commands",
        "",
        "What `mobileq COMMAND --help` says, made of the command line itself.",
        "[Exit codes](bundle.md#exit-codes) are the same for all.",
    ]
    for words, command in _commands(group, ()):
        own = command.context_class(command, info_name=" ".join(words), parent=context)
        lines += ["", f"## {' '.join(words)}", ""]
        lines += [inspect.cleandoc(command.help or ""), ""]
        usage = f"mobileq {' '.join(words)} {' '.join(command.collect_usage_pieces(own))}"
        lines += ["```text", usage, "```", ""]
        lines += ["| | |", "| --- | --- |"]
        records = [each.get_help_record(own) for each in command.get_params(own)]
        lines += [f"| {_code(record[0])} | {_text(record[1])} |" for record in records if record]
    return "\n".join(lines) + "\n"


def _commands(group: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*words, name))
        else:
            yield (*words, name), command


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _text(text: str) -> str:
    """No Markdown, and no end of a table's cell."""
    escaped = html.escape(" ".join(text.split()), quote=False)
    return "".join(f"&#{ord(each)};" if each in "|*_[]`\\" else each for each in escaped)
