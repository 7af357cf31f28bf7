"""The page of the Python API, from signatures and docstrings as they are when it is imported.

Not by a tool that reads sources: the keywords of `convert` come from its targets when it is made.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any

import mobileq

_SECTION = re.compile(r"(Args|Returns|Raises|Attributes|Yields):$")
_ITEM = re.compile(r"([\w*][\w, *`.]*): (.*)")


def page() -> str:
    """api.md."""
    names = [name for name in mobileq.__all__ if not name.startswith("__")]
    found = {name: getattr(mobileq, name) for name in names}
    errors = [
        n for n, each in found.items() if isinstance(each, type) and issubclass(each, Exception)
    ]
    classes = [n for n, each in found.items() if isinstance(each, type) and n not in errors]
    functions = [name for name in names if name not in (*classes, *errors)]
    lines = [
        "# Python API",
        "",
        "All that `import mobileq` gives. [Python](python.md) has examples.",
    ]
    for heading, group in (("Functions", functions), ("Types", classes), ("Errors", errors)):
        lines += ["", f"## {heading}"]
        for name in group:
            lines += ["", f"### {name}", "", *_described(name, found[name])]
    return "\n".join(lines) + "\n"


def _described(name: str, thing: Any) -> Iterator[str]:
    if not isinstance(thing, type):
        yield from ("```python", _signature(name, inspect.signature(thing)), "```", "")
        yield from _docstring(thing.__doc__)
        return
    yield from _docstring(thing.__doc__)
    fields = [each for each in _own_annotations(thing) if not each[0].startswith("_")]
    if fields:
        yield from ("", "```python", *(f"{field}: {kind}" for field, kind in fields), "```")
    for member, value in vars(thing).items():
        if member.startswith("_"):
            continue
        if isinstance(value, property):
            yield from ("", f"**`{member}`** (property)", "", *_docstring(value.__doc__))
        elif inspect.isfunction(value):
            signature = _signature(member, inspect.signature(value))
            yield from ("", "```python", signature, "```", "", *_docstring(value.__doc__))


def _own_annotations(thing: type) -> Iterator[tuple[str, str]]:
    for name, kind in inspect.get_annotations(thing).items():
        yield name, _kind(kind)


def _signature(name: str, signature: inspect.Signature) -> str:
    """One parameter a line, without the methods' own object."""
    told, star = [], False
    for each in signature.parameters.values():
        if each.name == "self":
            continue
        if each.kind == each.KEYWORD_ONLY and not star:
            told.append("*")
        star = star or each.kind in (each.KEYWORD_ONLY, each.VAR_POSITIONAL)
        prefix = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        default = "" if each.default is each.empty else f" = {_value(each.default)}"
        told.append(f"{prefix}{each.name}: {_kind(each.annotation)}{default}")
    result = f" -> {_kind(signature.return_annotation)}"
    if signature.return_annotation is inspect.Signature.empty:
        result = ""
    inside = "".join(f"\n    {each}," for each in told) + "\n" if told else ""
    return f"{name}({inside}){result}"


def _value(value: object) -> str:
    return "..." if value is ... else repr(value)


def _kind(annotation: Any) -> str:
    if isinstance(annotation, typing.ForwardRef):
        return annotation.__forward_arg__
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _docstring(text: str | None) -> Iterator[str]:
    """Google's sections as lists; all else is Markdown as it is."""
    section = False
    for line in inspect.cleandoc(text or "").splitlines():
        if match := _SECTION.match(line):
            section = True
            yield from (f"**{match[1]}**", "")
        elif not section or not line.startswith(" "):
            section = section and not line
            yield line
        elif (item := _ITEM.match(line[4:])) and line.startswith("    "):
            yield f"- `{item[1]}`: {item[2]}"
        else:
            yield f"  {line.strip()}"
