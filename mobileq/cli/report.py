"""`mobileq report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobileq.cli.options import Json


def report(
    bundles: Annotated[
        list[Path],
        typer.Argument(
            help="A bundle's folder; several for one page about all.", metavar="BUNDLE..."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The page, one file that needs no other.")
    ] = Path("report.html"),
    images: Annotated[
        Path | None,
        typer.Option(
            help="Pictures to compare files on, as `convert --calib` takes them; by default those "
            "of the calibration."
        ),
    ] = None,
    artifact: Annotated[
        str | None,
        typer.Option(help="Which file is shown beside the ONNX model: tflite-int8, or int8."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a page about a bundle: which file to ship, and why."""
    from mobileq.console import Console
    from mobileq.workflows.report import report as run

    console = Console(json)
    found = run(bundles, output=output, images=images, artifact=artifact, progress=console)
    if json:
        console.document(found)
    else:
        found.tell(console)
