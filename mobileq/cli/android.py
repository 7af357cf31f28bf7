"""`mobileq android`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobileq.android.runtimes import RUNTIMES
from mobileq.cli.added_options import options_of_runtimes, with_options
from mobileq.cli.options import ArtifactNames, Json


@with_options(options_of_runtimes(after="camerax_version"))
def android(
    bundle: Annotated[
        list[Path] | None,
        typer.Argument(help="A bundle's folder, or several for one app.", metavar="BUNDLE..."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The project's folder.")
    ] = None,
    artifact: ArtifactNames = None,
    application_id: Annotated[
        str, typer.Option(help="Unlike any other app's: com.example.birds.", metavar="ID")
    ] = "",
    name: Annotated[str, typer.Option(help="The app's name.")] = "",
    min_sdk: Annotated[int, typer.Option(help="Oldest Android (API level).")] = 24,
    target_sdk: Annotated[int, typer.Option(help="Android that it is made for.")] = 37,
    delegate: Annotated[
        str, typer.Option(help="What a model starts on: cpu, gpu, nnapi, or npu.")
    ] = "gpu",
    abi: Annotated[
        list[str] | None,
        typer.Option(
            help="Processors, separated by commas. Default: arm64-v8a,armeabi-v7a,x86_64.",
            metavar="NAMES",
        ),
    ] = None,
    runtime: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Of {', '.join(RUNTIMES)}, separated by commas; by default those that the "
            "bundle has files for.",
            metavar="NAMES",
        ),
    ] = None,
    camerax_version: Annotated[str, typer.Option(help="Release of CameraX.")] = "1.6.2",
    force: Annotated[bool, typer.Option("--force", help="Replace files that you changed.")] = False,
    list_options: Annotated[
        bool, typer.Option("--list-options", help="Show all options and their defaults.")
    ] = False,
    json: Json = False,
    **runtime_options: str,
) -> None:
    """Render an Android app around bundles: live camera, boxes."""
    from mobileq.android.options import ABIS, AndroidOptions, listed_options
    from mobileq.android.project import bundle_runtimes, render_project
    from mobileq.bundle import read_bundle, require_artifacts
    from mobileq.console import Console
    from mobileq.errors import UsageError
    from mobileq.page import megabytes
    from mobileq.workflows.choices import split_list

    console = Console(json)
    if list_options:
        rows = listed_options()
        if json:
            listed = [{"option": o, "default": d, "meaning": m} for o, d, m in rows]
            console.document({"options": listed})
        console.table(("option", "default", "meaning"), rows)
        return
    if not bundle or output is None:
        raise UsageError(
            "The bundle or the project's folder is missing.",
            "Give both: mobileq android BUNDLE... --output FOLDER.",
        )
    opened = [read_bundle(each) for each in bundle]
    for each in opened:
        require_artifacts(each)
    named = split_list(artifact or ())
    known = dict.fromkeys(name for each in opened for name in bundle_runtimes(each, named))
    options = AndroidOptions(
        application_id=application_id,
        name=name,
        min_sdk=min_sdk,
        target_sdk=target_sdk,
        delegate=delegate,
        abis=split_list(abi or ABIS),
        runtimes=split_list(runtime or ()) or tuple(known),
        camerax_version=camerax_version,
        **runtime_options,
    )
    done = render_project(bundle, output, options, artifacts=named, force=force)
    if json:
        console.document({**vars(done), "path": str(done.path)})
    if done.left_out:
        console.line(f"not in the app, which has no runtime for them: {', '.join(done.left_out)}")
    for path in done.kept:
        console.line(f"kept as you changed it: {path}", "strong")
    for problem in done.problems:
        console.line(problem, "bad")
    console.line(
        f"{done.path}: {len(done.written)} files written, {len(done.removed)} removed, "
        f"{len(done.kept)} kept; bundles of {megabytes(done.bundle_bytes)}.",
        "good",
    )
