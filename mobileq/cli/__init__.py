"""The command line: one thin file per command, each of which parses, calls the library, prints."""

from __future__ import annotations

from typing import Annotated

import typer

from mobileq import __version__
from mobileq.cli import (
    android,
    bench,
    compare,
    convert,
    demo,
    detect,
    devices,
    doctor,
    init,
    inspect,
    install,
    predict,
    push,
    recommend,
    report,
    runner,
    sensitivity,
    ship,
    validate,
    verify,
)
from mobileq.cli.repeated import OneEachCommand

app = typer.Typer(
    name="mobileq",
    help="Take a trained vision model from ONNX to a phone: convert, quantize, verify.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    # Plain help: typer 0.29 imports a Markdown parser for boxes around it, half of its time.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mobileq {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Take a trained vision model from ONNX to a phone: convert, quantize, verify."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


for command in (
    ship.ship,
    convert.convert,
    init.init,
    inspect.inspect,
    validate.validate,
    predict.predict,
    detect.detect,
    recommend.recommend,
    report.report,
    compare.compare,
    sensitivity.sensitivity,
    verify.verify,
    demo.demo,
    android.android,
    devices.devices,
    push.push,
    bench.bench,
    install.install,
    doctor.doctor,
):
    app.command(cls=OneEachCommand)(command)
app.add_typer(runner.runner)
