"""`mobileq install`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobileq.cli.options import AdbPath, Json, Serial


def install(
    app: Annotated[
        Path,
        typer.Argument(
            help="The folder that `mobileq android` wrote, or an APK.", metavar="APP|APK"
        ),
    ],
    launch: Annotated[
        bool, typer.Option("--launch/--no-launch", help="Start the app at the end.")
    ] = True,
    serial: Serial = None,
    adb: AdbPath = None,
    json: Json = False,
) -> None:
    """Build an app, install it on a phone and start it.

    A project is built with Gradle, for which an Android SDK and a JDK must be here.
    """
    from mobileq.console import Console
    from mobileq.workflows.install import install as run

    console = Console(json)
    found = run(app, launch=launch, serial=serial, adb=adb, progress=console)
    if json:
        console.document(vars(found))
    found.tell(console)
