"""mobileq.toml: a table for each command, with options where the command line does not say them.

[convert]
model = "detector.onnx"          # arguments by their names in --help
output = "detector-bundle"       # options by their long names; paths are relative to the file
precision = ["fp32", "int8"]
no-search = true
[runner.build]
fetch = true
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from mobileq.errors import InputError, MobileqError, UsageError, unreadable
from mobileq.paths import PROJECT_NAME

_OWN = ("help", "json", "project", "no_project", "version")
"""Options that are no part of the work, which a file does not have."""
_MAX_BYTES = 1 << 20
_spoken: list[str] = []


def command_line() -> tuple[str, ...]:
    """The command that runs, with what the file gave it: to be kept with what it makes."""
    return ("mobileq", *(_spoken or sys.argv[1:]))


@cache
def project_options() -> list[Any]:
    """Of every command, which do not see them."""
    app = typer.Typer(add_completion=False)

    @app.command()
    def options(
        project: Annotated[
            Path | None,
            typer.Option(
                help=f"Take options from this file. Default: {PROJECT_NAME}, here or above.",
                metavar="FILE",
            ),
        ] = None,
        no_project: Annotated[
            bool, typer.Option("--no-project", help=f"Take none from {PROJECT_NAME}.")
        ] = False,
    ) -> None:
        pass

    found = [each for each in typer.main.get_command(app).params if each.name != "help"]
    for each in found:
        each.expose_value = False
    return found


def find_project(folder: Path) -> Path | None:
    """The nearest file, in the folder or above it up to the root of its repository; outside of one
    in the folder alone, so that what lies in a shared folder above has no say."""
    above = [folder, *folder.parents]
    roots = [at for at, each in enumerate(above) if (each / ".git").exists()]
    for each in above[: roots[0] + 1 if roots else 1]:
        if (each / PROJECT_NAME).exists():
            return each / PROJECT_NAME
    return None


@dataclass(frozen=True)
class FromFile:
    """What a file gives a command: words to stand before those that were typed, and behind them.

    Attributes:
        path: As people are told it.
        parameters: Those that have their value from it, with their keys.
    """

    path: Path
    section: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    parameters: Mapping[str, str]

    @property
    def notice(self) -> str:
        """That it was used."""
        return f"{self.path} says {', '.join(self.parameters.values())} of [{self.section}]."

    def wrong(self, error: Any) -> MobileqError | None:
        """Of a value that the parser refused; None where it is not of this file."""
        key = self.parameters.get(getattr(getattr(error, "param", None), "name", None) or "")
        if key is None:
            return None
        return InputError(
            f"{self.path} cannot be used: `{key}` of [{self.section}]: {error.message}",
            "Correct the file, or leave it out with --no-project.",
        )


def from_project(command: Any, context: Any, given: Mapping[str, Any]) -> FromFile | None:
    """What the project's file adds to a command line.

    Args:
        given: Values by the names of parameters, as they were typed.

    Raises:
        UsageError: Both options are given, there is no such file, or a table or key is unknown.
        InputError: It can't be read, or a value is of no kind that could be typed.
    """
    named, names = given.get("project"), context.command_path.split()[1:]
    if given.get("no_project"):
        if named is not None:
            raise UsageError("--project and --no-project exclude each other.", "Give one of them.")
        return None
    path = find_project(Path.cwd()) if named is None else Path(named)
    if path is None or names == ["init"]:  # which makes such a file, also of one that is wrong
        return None
    content = _read(path)
    if path.parent == Path.cwd():
        path = Path(path.name)
    table = _checked(content, context.find_root().command, names, path)
    parameters = {each.name: each for each in command.params if each.name not in _OWN}
    words: dict[str, tuple[str, ...]] = {}
    used: dict[str, str] = {}
    for key, value in table.items():
        parameter = parameters[_name(parameters.values(), key)]
        if given.get(parameter.name) in (None, ()):
            words[parameter.name] = tuple(_words(parameter, key, value, path))
            used[parameter.name] = key
    if not used:
        return None
    # Arguments stand in the command's order, whatever the file's is.
    of_each = {
        kind: tuple(
            word
            for name, each in parameters.items()
            if each.param_type_name == kind
            for word in words.get(name, ())
        )
        for kind in ("option", "argument")
    }
    return FromFile(path, ".".join(names), of_each["option"], of_each["argument"], used)


def keep_spoken(names: Sequence[str], words: Sequence[str]) -> None:
    """What `command_line` gives."""
    _spoken[:] = [*names, *words]


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    from mobileq.regular_file import read_regular

    try:
        return tomllib.loads(read_regular(path, _MAX_BYTES, "a project file").decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"There is no file {path}.", "Check the path of --project.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(
            f"{path} is not valid TOML: {error}.",
            "Correct the file, or leave it out with --no-project.",
        ) from error
    except ValueError as error:
        raise InputError(f"{path} cannot be read.", "Save it as UTF-8.") from error
    except OSError as error:
        raise unreadable(path, error) from error


def _checked(
    content: Mapping[str, Any], group: Any, names: Sequence[str], path: Path
) -> Mapping[str, Any]:
    """The table of the command, where all tables have known keys."""
    found: Mapping[str, Any] = {}
    for section, command, table in _tables(content, group, path):
        known = [_key(each) for each in command.params if each.name not in _OWN]
        for key in table:
            if _name(command.params, key) == "":
                raise _unknown(f"{path} has the unknown key {key!r} in [{section}].", key, known)
        if section == ".".join(names):
            found = table
    return found


def _tables(
    content: Mapping[str, Any], group: Any, path: Path, above: str = ""
) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """(name, command, its table), also of commands within commands."""
    for name, table in content.items():
        command = group.commands.get(name)
        if command is None or not isinstance(table, dict):
            known = [f"[{above}{each}]" for each in group.commands]
            what = "table" if isinstance(table, dict) else "key outside of a command's table,"
            raise _unknown(
                f"{path} has the unknown {what} {above}{name}.", f"[{above}{name}]", known
            )
        if hasattr(command, "commands"):
            yield from _tables(table, command, path, f"{name}.")
        else:
            yield f"{above}{name}", command, table


def _unknown(message: str, key: str, known: Sequence[str]) -> UsageError:
    near = difflib.get_close_matches(key.replace("_", "-"), known, 1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
    return UsageError(message, hint)


def _key(parameter: Any) -> str:
    """As the file has it: the long name without its dashes."""
    return str(max(parameter.opts, key=len)).lstrip("-").replace("_", "-")


def _name(parameters: Any, key: str) -> str:
    """Of the parameter; empty where there is none."""
    for each in parameters:
        if each.name not in _OWN and _key(each) == key.replace("_", "-"):
            return str(each.name)
    return ""


def _words(parameter: Any, key: str, value: Any, path: Path) -> Iterator[str]:
    """What a person would type."""
    if getattr(parameter, "is_flag", False):
        if not isinstance(value, bool):
            raise _of_wrong_kind(path, key, "true or false")
        if value:
            yield max(parameter.opts, key=len)
        return
    has_several = getattr(parameter, "multiple", False) or parameter.nargs == -1
    if isinstance(value, list) and not has_several:
        raise _of_wrong_kind(path, key, "one value")
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, bool) or not isinstance(each, str | int | float):
            raise _of_wrong_kind(path, key, "a text or a number")
        text = _placed(parameter, str(each), path.parent)
        is_argument = parameter.param_type_name == "argument"
        yield text if is_argument else f"{max(parameter.opts, key=len)}={text}"


def _of_wrong_kind(path: Path, key: str, wanted: str) -> InputError:
    return InputError(
        f"{path} cannot be used: `{key}` is not {wanted}.",
        "Correct the file, or leave it out with --no-project.",
    )


def _placed(parameter: Any, text: str, folder: Path) -> str:
    """Paths are relative to the file. What may be a path or something else (`coco80`, TOML) is one
    where there is something."""
    kinds = parameter.type_descriptor.annotation
    metavar = parameter.metavar or ""
    start, _, value = text.partition("=")
    if metavar == "NAME=VALUE" and (folder / value).is_file():
        return f"{start}={folder / value}"
    may_be_other = metavar.startswith("FILE|")
    if may_be_other and (folder / text).exists():
        return str(folder / text)
    is_path = not may_be_other and (kinds is Path or Path in get_args(kinds))
    return str(folder / text) if is_path else text
