"""`mobileq bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobileq.cli.options import (
    AdbPath,
    ArtifactNames,
    BundleFolder,
    Delegates,
    Json,
    RunnerFolder,
    Serial,
    split_list,
)


def bench(
    bundle: BundleFolder,
    artifact: ArtifactNames = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the JSON there, and not into the bundle."),
    ] = None,
    delegate: Delegates = "cpu",
    threads: Annotated[
        str,
        typer.Option(help="On the CPU, separated by commas; 0: one for each processor."),
    ] = "0",
    runs: Annotated[int, typer.Option(help="Analyses that are timed.")] = 50,
    warmup: Annotated[int, typer.Option(help="Analyses before that.")] = 5,
    runner: RunnerFolder = None,
    serial: Serial = None,
    adb: AdbPath = None,
    json: Json = False,
) -> None:
    """Time a bundle's files on a phone, on each delegate. See docs/phones.md.

    It is kept in the bundle, and `mobileq recommend BUNDLE --device NAME` chooses by it. What does
    not run is named in the table (exit code 1).
    """
    from mobileq.console import Console
    from mobileq.errors import EXIT_FAILED, UsageError
    from mobileq.workflows.bench import bench as run

    counts = split_list(threads)
    if not all(each.isascii() and each.isdigit() for each in counts):
        raise UsageError(f"--threads {threads} is no list of numbers.", "Give it like: 1,4.")
    console = Console(json)
    found = run(
        bundle,
        artifact or (),
        output=output,
        delegates=split_list(delegate),
        threads=[int(each) for each in counts],
        runs=runs,
        warmup=warmup,
        serial=serial,
        adb=adb,
        runner=runner,
        progress=console,
    )
    if json:
        console.document(found)
    found.tell(console)
    if any(row.problem for row in found.rows):
        raise typer.Exit(EXIT_FAILED)
