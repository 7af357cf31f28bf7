"""`mobileq push`."""

from __future__ import annotations

from typing import Annotated

import typer

from mobileq.cli.options import AdbPath, ArtifactNames, BundleFolder, Json, Serial


def push(
    bundle: BundleFolder,
    artifact: ArtifactNames = None,
    clean: Annotated[
        bool, typer.Option("--clean", help="Take the bundle off the phone instead.")
    ] = False,
    serial: Serial = None,
    adb: AdbPath = None,
    json: Json = False,
) -> None:
    """Bring a bundle's files onto a phone, and verify them there.

    They are in /data/local/tmp/mobileq. Only what differs is sent, the manifest last.
    """
    from mobileq.console import Console
    from mobileq.workflows.choices import split_list
    from mobileq.workflows.push import push as run

    console = Console(json)
    names = split_list(artifact or ())
    found = run(bundle, names, clean=clean, serial=serial, adb=adb, progress=console)
    if json:
        console.document(vars(found))
    found.tell(console)
