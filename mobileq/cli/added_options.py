"""Options that targets and runtimes bring to the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Annotated

import typer

from mobileq.android.runtimes import RuntimeOptions
from mobileq.targets.registry import TARGETS, target_options

_Command = Callable[..., None]


@dataclass(frozen=True)
class AddedOption:
    """One of a command that takes `**options`; in the help it stands behind `after`."""

    name: str
    default: str
    help: str
    after: str
    metavar: str | None = None


def with_options(added: Iterable[AddedOption]) -> Callable[[_Command], _Command]:
    """Give a command options beside those that it names: Typer reads them from the signature."""

    def extended(command: _Command) -> _Command:
        for option in added:
            kind = Annotated[str, typer.Option(help=option.help, metavar=option.metavar)]
            parameter = inspect.Parameter(
                option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=kind
            )
            _add(command, [parameter], option.after)
        return command

    return extended


def with_options_of(other: _Command, after: str) -> Callable[[_Command], _Command]:
    """Give a command that takes `**options` those of another, behind one of its own; but what both
    have is its own."""

    def extended(command: _Command) -> _Command:
        _add(command, inspect.signature(other, eval_str=True).parameters.values(), after)
        return command

    return extended


def _add(command: _Command, added: Iterable[inspect.Parameter], after: str) -> None:
    """Behind one of its own; what it has already is its own."""
    signature = inspect.signature(command, eval_str=True)
    taken = [each for each in signature.parameters.values() if each.kind != each.VAR_KEYWORD]
    names = [each.name for each in taken]
    place = names.index(after) + 1
    taken[place:place] = [each for each in added if each.name not in names]
    # All by keyword, so that they may stand in any order.
    taken = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in taken]
    command.__signature__ = signature.replace(parameters=taken)  # type: ignore[attr-defined]


def options_of_targets() -> list[AddedOption]:
    """For `convert`."""
    return [
        AddedOption(name, option.default, option.help, option.after, option.metavar)
        for name, option in target_options().items()
    ]


def options_of_runtimes(after: str) -> list[AddedOption]:
    """For `android`."""
    return [
        AddedOption(each.name, str(each.default), each.metadata["short"], after)
        for each in fields(RuntimeOptions)
    ]


def precision_help() -> str:
    """Which there are, what only some targets have, and which are made when nobody says."""
    by_target = {name: info.precision_names for name, info in TARGETS.items()}
    defaults = {
        name: [each.name for each in info.precisions if each.is_default]
        for name, info in TARGETS.items()
    }
    first = next(iter(by_target.values()))
    common = [each for each in first if all(each in names for names in by_target.values())]
    own = {
        name: [each for each in names if each not in common] for name, names in by_target.items()
    }
    others = "".join(f", for {name} {', '.join(each)}" for name, each in own.items() if each)
    usual = [each for each in common if all(each in names for names in defaults.values())]
    more = dict.fromkeys(each for names in defaults.values() for each in names if each not in usual)
    return (
        f"Of {', '.join(common)}{others}; separated by commas. "
        f"Default: {', '.join(usual)} and {' or '.join(more)}."
    )
