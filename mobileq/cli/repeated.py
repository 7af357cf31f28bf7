"""What all commands have in common: options given more than once, and those of mobileq.toml."""

from __future__ import annotations

from collections import Counter
from typing import Any

from typer.core import TyperCommand, TyperOption
from typer.exceptions import TyperException

from mobileq.cli.project import from_project, keep_spoken, project_options
from mobileq.errors import UsageError


class OneEachCommand(TyperCommand):
    """Refuses a second value of an option that takes one: the parser drops all but the last. What
    was not typed comes from the project's file."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params += project_options()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`."""
        options, _, given = self.make_parser(ctx).parse_args(args=list(args))
        found = None
        if not (options.get("help") or ctx.resilient_parsing):
            found = from_project(self, ctx, options)
        if found is not None:
            from mobileq.console import begin_with

            begin_with(found.notice)
            args = [*found.before, *args, *found.after]
            keep_spoken(ctx.command_path.split()[1:], args)
        try:
            left = super().parse_args(ctx, args)  # ends here where help is asked for
        except TyperException as error:
            wrong = None if found is None else found.wrong(error)
            if wrong is None:
                raise
            raise wrong from error
        for parameter, times in Counter(given).items():
            if not isinstance(parameter, TyperOption) or parameter.multiple or parameter.is_flag:
                continue
            if times > 1:
                name = max(parameter.opts, key=len)
                raise UsageError(f"{name} takes one value, and is given {times}.", "Give it once.")
        return left
