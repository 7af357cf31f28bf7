"""`mobileq demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobileq.cli.options import Json, NoCache


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the bundle it makes.")
    ] = Path("demo-bundle"),
    no_cache: NoCache = False,
    json: Json = False,
) -> None:
    """Convert and validate the detector that comes with mobileq."""
    from mobileq.console import Console
    from mobileq.workflows.demo import demo as run

    console = Console(json)
    manifest, validation = run(output, cache=not no_cache, progress=console)
    if json:
        console.document({"manifest": manifest, "validation": validation})
        return
    manifest.tell(console)
    console.line(f"Bundle: {output}", "strong")
    validation.tell(console)
