"""`mobileq compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobileq.cli.options import ArtifactNames, Interpreter, Json
from mobileq.errors import EXIT_BUDGET_MISSED, EXIT_FAILED


def compare(
    before: Annotated[Path, typer.Argument(help="A bundle's folder.", metavar="BEFORE")],
    after: Annotated[
        Path, typer.Argument(help="Another's: made later, or of another model.", metavar="AFTER")
    ],
    images: Annotated[
        Path | None,
        typer.Option(help="Pictures to run the files of both on, as of `validate`."),
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Their labels, as of `validate`.")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(help="How many of the pictures, spread evenly over them; else all."),
    ] = None,
    artifact: ArtifactNames = None,
    fail_if_worse: Annotated[
        float | None,
        typer.Option(
            help="Exit code 3 where a file lost more than that of mAP50-95 or top-1 (0.005 is half "
            "a point), or fails now.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(help="Of each inference; 0: one for each processor.")] = 0,
    interpreter: Interpreter = "auto",
    json: Json = False,
) -> None:
    """Say what differs between two bundles, and what is worse.

    Without --images by what the bundles say. Files that do not run are named (exit code 1).
    """
    from mobileq.console import Console
    from mobileq.workflows.choices import split_list
    from mobileq.workflows.compare import compare as run

    console = Console(json)
    found = run(
        before,
        after,
        images,
        annotations,
        count=count,
        artifact=split_list(artifact or ()),
        fail_if_worse=fail_if_worse,
        threads=threads,
        interpreter=interpreter,
        progress=console,
    )
    if json:
        console.document(found)
    else:
        found.tell(console)
    if found.worse:
        raise typer.Exit(EXIT_BUDGET_MISSED)
    if found.unmeasured or found.failures:
        raise typer.Exit(EXIT_FAILED)
