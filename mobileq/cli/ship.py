"""`mobileq ship`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from mobileq.cli.added_options import with_options_of
from mobileq.cli.convert import convert
from mobileq.cli.options import (
    AdbPath,
    Delegates,
    Json,
    MnnLibraries,
    RunnerFolder,
    Serial,
    Threads,
    threads_of,
)
from mobileq.cli.project import command_line


@with_options_of(convert, after="threads")
def ship(
    model: Annotated[Path, typer.Argument(help="The ONNX file.", metavar="MODEL")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of it all; by default MODEL-ship."),
    ] = None,
    application_id: Annotated[
        str, typer.Option(help="Unlike any other app's: com.example.birds.", metavar="ID")
    ] = "",
    name: Annotated[str, typer.Option(help="The app's name, if not the model's.")] = "",
    eval_images: Annotated[
        Path | None,
        typer.Option(help="Folder of pictures to validate on, if not those of --calib."),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(help="Their labels, as of `validate`; a --budget is held on half of them."),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(help="How many pictures to validate on, spread evenly over them; else all."),
    ] = None,
    no_device: Annotated[
        bool, typer.Option("--no-device", help="End with the app, though there be a phone.")
    ] = False,
    serial: Serial = None,
    adb: AdbPath = None,
    runner: RunnerFolder = None,
    mnn_libs: MnnLibraries = None,
    delegate: Delegates = None,
    threads: Threads = None,
    json: Json = False,
    **options: Any,
) -> None:
    """Convert, validate, and bring an app onto a phone.

    What an earlier run did and is still right is not done again. Files are validated on
    --eval-images with --annotations, else on --calib. The exit code is that of the first stage
    that failed; what was done stays. See docs/ship.md.
    """
    from mobileq.console import Console, print_error
    from mobileq.errors import MobileqError
    from mobileq.workflows.choices import ConvertChoices, chosen_options, split_list
    from mobileq.workflows.ship import ship as run

    console = Console(json)
    force, cache = options.pop("force"), not options.pop("no_cache")
    options["search"] = not options.pop("no_search")
    options |= {"set": options.pop("set_input")}
    options |= {"eval_images": eval_images, "annotations": annotations}
    chosen = {name: each for name, each in options.items() if each is not None}
    done = run(
        model,
        output,
        chosen_options(None, cast(ConvertChoices, chosen)),
        application_id=application_id,
        name=name,
        count=count,
        device=not no_device,
        delegates=split_list(delegate or ("cpu",)),
        threads=threads_of(threads),
        serial=serial,
        adb=adb,
        runner=runner,
        mnn_libs=mnn_libs,
        force=force,
        cache=cache,
        command=command_line(),
        progress=console,
    )
    if json:
        console.document(done)
    done.tell(console)
    if (failed := done.failed) is not None:
        told = failed.problem or failed.told
        print_error(MobileqError(f"{failed.name}: {told}", failed.hint))
        raise typer.Exit(done.exit_code)
