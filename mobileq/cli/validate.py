"""`mobileq validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobileq.cli.options import Interpreter, Json


def validate(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder.", metavar="BUNDLE")],
    images: Annotated[Path, typer.Option(help="Folder of pictures.")],
    annotations: Annotated[
        Path | None, typer.Option(help="Their labels: COCO json or data.yaml.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write report.json there, not into the bundle."),
    ] = None,
    interpreter: Interpreter = "auto",
    json: Json = False,
) -> None:
    """Measure accuracy, agreement and latency of a bundle's files."""
    from mobileq.console import Console
    from mobileq.workflows.validate import validate as run

    console = Console(json)
    found = run(
        bundle,
        images,
        annotations,
        output=output,
        interpreter=interpreter,
        progress=console,
    )
    if json:
        console.document(found)
        return
    found.tell(console)
