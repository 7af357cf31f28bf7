"""The command line: one thin file per command, each of which parses, calls the library, prints."""

from __future__ import annotations

from typing import Annotated

import typer

from mobileq import __version__
from mobileq.cli import convert, demo, detect, inspect, validate, verify

app = typer.Typer(
    name="mobileq",
    help="Take a trained vision model from ONNX to a phone: convert, quantize, verify.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mobileq {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Take a trained vision model from ONNX to a phone: convert, quantize, verify."""


for command in (
    convert.convert,
    inspect.inspect,
    validate.validate,
    detect.detect,
    verify.verify,
    demo.demo,
):
    app.command()(command)
