"""`mobileq validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobileq.cli.options import (
    AdbPath,
    BundleFolder,
    Delegates,
    Interpreter,
    Json,
    MnnLibraries,
    RunnerFolder,
    Serial,
)
from mobileq.errors import EXIT_FAILED, MobileqError


def validate(
    bundle: BundleFolder,
    images: Annotated[
        Path,
        typer.Option(help="Folder of pictures; without labels whatever `convert --calib` takes."),
    ],
    annotations: Annotated[
        Path | None,
        typer.Option(
            help="Their labels; of boxes, COCO json or data.yaml; of classes, a folder with a "
            "folder for each, a CSV (file,label) or data.yaml."
        ),
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
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first file that can't be measured.")
    ] = False,
    device: Annotated[
        bool,
        typer.Option("--device", help="Run the files on a phone, too; see docs/phones.md."),
    ] = False,
    delegate: Delegates = None,
    mnn_libs: MnnLibraries = None,
    runner: RunnerFolder = None,
    serial: Serial = None,
    adb: AdbPath = None,
    json: Json = False,
) -> None:
    """Measure accuracy, agreement and latency of a bundle's files.

    Files that do not load or run are named in the table (exit code 1).
    """
    from msgspec import structs

    from mobileq.console import Console, print_error
    from mobileq.workflows.choices import split_list
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
        strict=strict,
        device=device,
        delegates=split_list(delegate or ("cpu",)),
        serial=serial,
        adb=adb,
        runner=runner,
        mnn_libs=mnn_libs,
        progress=console,
    )
    if json:
        console.document({**structs.asdict(found), "ship": found.ship})
    else:
        found.tell(console)
    failures = (*found.failures, *(found.phone.failures if found.phone else ()))
    if failures:
        names = ", ".join(each.file_name for each in failures)
        print_error(MobileqError(f"Not measured, since they failed: {names}.", failures[0].hint))
        raise typer.Exit(EXIT_FAILED)
