"""`mobileq runner`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobileq.cli.options import Json
from mobileq.cli.repeated import OneEachCommand

runner = typer.Typer(
    name="runner",
    help="The program that runs a bundle's files on a phone.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@runner.callback()
def root() -> None:
    """The program that runs a bundle's files on a phone."""


@runner.command(cls=OneEachCommand)
def build(
    aar: Annotated[
        list[Path] | None,
        typer.Option(
            help="LiteRT's or TensorFlow Lite's .aar; again for its GPU delegate and API.",
            metavar="FILE",
        ),
    ] = None,
    fetch: Annotated[
        bool,
        typer.Option(
            "--fetch",
            help="Download what is not given: R8 9.5.28 and TensorFlow Lite 2.16.1, 31 MB.",
        ),
    ] = False,
    r8: Annotated[Path | None, typer.Option(help="R8's jar, to make the runner with.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Another folder than the one of the user's data."),
    ] = None,
    apk: Annotated[
        bool,
        typer.Option(
            "--apk",
            help="Make an app of it, too, for phones that refuse app_process. Needs a JDK.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Make the runner, and take the native libraries out of the .aar files.

    A mobileq that came with a runner takes that one, unless --r8 is given, and needs no Java.
    Nothing is downloaded without --fetch.
    """
    from mobileq.console import Console
    from mobileq.workflows.runner import build_runner

    console = Console(json)
    made = build_runner(aar or (), fetch=fetch, r8=r8, output=output, apk=apk, progress=console)
    if json:
        console.document(vars(made))
    made.tell(console)
