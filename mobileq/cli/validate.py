"""`mobileq validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobileq.cli.options import Interpreter, Json


def validate(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder.", metavar="BUNDLE")],
    images: Annotated[
        Path,
        typer.Option(help="Folder of pictures; without boxes in the outputs also .npy, .npz ..."),
    ],
    annotations: Annotated[
        Path | None, typer.Option(help="Their labels: COCO json or data.yaml.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write report.json there, not into the bundle."),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(help="How many of the pictures, spread evenly over them; else all."),
    ] = None,
    runs: Annotated[
        int | None, typer.Option(help="Inferences that latency is the median of, if not 20.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Of each inference; 0: one for each processor.")] = 0,
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
        count=count,
        runs=runs,
        threads=threads,
        interpreter=interpreter,
        progress=console,
    )
    if json:
        console.document(found)
        return
    found.tell(console)
