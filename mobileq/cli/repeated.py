"""Options that are given more than once."""

from __future__ import annotations

from collections import Counter
from typing import Any

from typer.core import TyperCommand, TyperOption

from mobileq.errors import UsageError


class OneEachCommand(TyperCommand):
    """Refuses a second value of an option that takes one: the parser drops all but the last."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        left = super().parse_args(ctx, args)  # ends here where help is asked for
        for parameter, times in Counter(given).items():
            if not isinstance(parameter, TyperOption) or parameter.multiple or parameter.is_flag:
                continue
            if times > 1:
                name = max(parameter.opts, key=len)
                raise UsageError(f"{name} takes one value, and is given {times}.", "Give it once.")
        return left
