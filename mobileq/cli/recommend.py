"""`mobileq recommend`."""

from __future__ import annotations

from typing import Annotated

import typer

from mobileq.cli.options import BundleFolder, Json
from mobileq.errors import EXIT_BUDGET_MISSED


def recommend(
    bundle: BundleFolder,
    max_loss: Annotated[
        float | None,
        typer.Option(help="Most that may be lost of mAP50-95 or top-1: 0.01 is one point."),
    ] = None,
    max_ms: Annotated[
        float | None, typer.Option(help="Most milliseconds of an inference, as measured.")
    ] = None,
    max_mb: Annotated[float | None, typer.Option(help="Most megabytes of the file.")] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="Take times from this phone, as `bench` kept them: its model, or a part of it.",
            metavar="NAME",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Choose the file to ship by what was measured, and say why.

    Exit code 3 where no file keeps within the limits; the nearest is named.
    """
    from mobileq.console import Console
    from mobileq.workflows.recommend import recommend as run

    console = Console(json)
    found = run(bundle, max_loss=max_loss, max_ms=max_ms, max_mb=max_mb, device=device)
    if json:
        console.document(found)
    else:
        found.tell(console)
    if found.file is None:
        raise typer.Exit(EXIT_BUDGET_MISSED)
