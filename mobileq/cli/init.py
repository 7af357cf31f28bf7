"""`mobileq init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobileq.cli.options import Family, InputShape, Json, Labels, SetInput, SpecFile
from mobileq.paths import PROJECT_NAME


def init(
    model: Annotated[Path, typer.Argument(help="The ONNX file.", metavar="MODEL")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write.", metavar="FILE")
    ] = Path(PROJECT_NAME),
    input_shape: InputShape = None,
    set_input: SetInput = None,
    family: Family = None,
    spec: SpecFile = None,
    labels: Labels = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    json: Json = False,
) -> None:
    """Write mobileq.toml for a model: options of its commands."""
    from mobileq.console import Console
    from mobileq.workflows.init import init as run
    from mobileq.workflows.opening import Overrides

    console = Console(json)
    shapes, constants = tuple(input_shape or ()), tuple(set_input or ())
    found = run(model, output, Overrides(family, spec, labels, shapes, constants), force=force)
    if json:
        console.document(found)
        return
    for notice in found.notices:
        console.notice(notice)
    found.tell(console)
