"""What msgspec says of a wrong field, as the end of a sentence that names what is allowed there.

msgspec (0.22) names the field, but of several values or bounds only the one that was missed.
"""

from __future__ import annotations

import re
import types
import typing
from typing import Annotated, Any

import msgspec

_PLACE = re.compile(r"(.*?)(?: - at `(key in )?\$?\.?(.*)`)?", re.DOTALL)
_STEP = re.compile(r"\[[^]]*\]|[^.[\]]+")
_SHOWN = 12
"""More values than this are no help in a sentence."""


def field_error(error: Exception, kind: Any, within: str = "") -> str:
    """ "field `preprocess.pad_value`: it must be 0 to 255".

    Args:
        kind: What was read.
        within: Where it stood.
    """
    match = _PLACE.fullmatch(str(error))
    text, inner = (match[1], match[3] or "") if match else (str(error), "")
    if not text.startswith("JSON"):
        text = text[:1].lower() + text[1:]
    if match and not match[2]:
        text = _allowed(text, kind, inner)
    # An unknown field is quoted as it is, whatever it is called.
    text = "".join(character if character.isprintable() else " " for character in text)
    dot = "." if within and inner and not inner.startswith("[") else ""
    field = f"{within}{dot}{inner}"
    return f"field `{field}`: {text}" if field else text


def _allowed(text: str, kind: Any, field: str) -> str:
    """The message, or where the field's type says more, that."""
    found = _type_at(kind, _STEP.findall(field))
    values = typing.get_args(found) if typing.get_origin(found) is typing.Literal else ()
    if text.startswith("invalid enum value") and 0 < len(values) <= _SHOWN:
        return f"{text}; choose of {', '.join(map(str, values))}"
    is_bound = re.match(r"expected `(int|float)` [<>]", text)
    if not is_bound or typing.get_origin(found) is not Annotated:
        return text
    bounds = found.__metadata__[0]
    lowest, highest = bounds.ge, bounds.le
    if bounds.gt is not None and highest is not None:
        return f"it must be above {bounds.gt:g} and at most {highest:g}"
    if lowest is not None and highest is not None:
        return f"it must be {lowest:,} to {highest:,}"
    return text


def _type_at(kind: Any, steps: list[str]) -> Any:
    """The type of a part of `kind`, with its bounds; None where the steps lead nowhere."""
    for step in steps:
        kind = _inner(_bare(kind), step)
    return _not_none(kind)


def _not_none(kind: Any) -> Any:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return next(each for each in typing.get_args(kind) if each is not types.NoneType)
    return kind


def _bare(kind: Any) -> Any:
    """Without `| None` and without bounds."""
    kind = _not_none(kind)
    return _bare(typing.get_args(kind)[0]) if typing.get_origin(kind) is Annotated else kind


def _inner(kind: Any, step: str) -> Any:
    if step.startswith("["):
        args = typing.get_args(kind)
        if typing.get_origin(kind) is tuple and args[-1] is not ...:
            return args[int(step[1:-1])] if step[1:-1].isdigit() else args[0]
        if typing.get_origin(kind) is dict:
            return args[1]
        return args[0] if args else None
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return next(
            (item.type for item in msgspec.structs.fields(kind) if item.encode_name == step), None
        )
    return None
