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
    MnnLibraries,
    RunnerFolder,
    Serial,
    Threads,
    threads_of,
)


def bench(
    bundle: BundleFolder,
    artifact: ArtifactNames = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the JSON there, and not into the bundle."),
    ] = None,
    delegate: Delegates = None,
    threads: Threads = None,
    runs: Annotated[int, typer.Option(help="Analyses that are timed.")] = 50,
    warmup: Annotated[int, typer.Option(help="Analyses before that.")] = 5,
    cool_down: Annotated[
        float,
        typer.Option(help="Seconds to wait, at most, for a warm phone before each file.", min=0),
    ] = 120,
    binary: Annotated[
        Path | None,
        typer.Option(
            help="TFLite's benchmark_model or MNN's benchmark.out or MNNV2Basic.out, for the "
            "phone, in place of the runner.",
            metavar="PATH",
        ),
    ] = None,
    mnn_libs: MnnLibraries = None,
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
    from mobileq.errors import EXIT_FAILED
    from mobileq.workflows.bench import bench as run
    from mobileq.workflows.choices import split_list

    console = Console(json)
    found = run(
        bundle,
        split_list(artifact or ()),
        output=output,
        delegates=split_list(delegate or ("cpu",)),
        threads=threads_of(threads),
        runs=runs,
        warmup=warmup,
        cool_down=cool_down,
        serial=serial,
        adb=adb,
        binary=binary,
        mnn_libs=mnn_libs,
        runner=runner,
        progress=console,
    )
    if json:
        console.document(found)
    found.tell(console)
    if any(row.problem for row in found.rows):
        raise typer.Exit(EXIT_FAILED)
