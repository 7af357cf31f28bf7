"""`mobileq sensitivity`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from mobileq.cli.options import Family, InputShape, Json, Labels, NoCache, SetInput, SpecFile


def sensitivity(
    model: Annotated[Path, typer.Argument(help="The ONNX file.", metavar="MODEL")],
    calib: Annotated[
        Path, typer.Option(help="Typical pictures: a folder, data.yaml, video or .npy.")
    ],
    calib_count: Annotated[
        int | None, typer.Option(help="How many of them to take ranges from, if not 64.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of pictures.")] = 0,
    head: Annotated[
        str,
        typer.Option(
            help="raw looks at the model up to its last convolutions, decoded at all of it; "
            "auto: raw where it is known how to decode.",
            metavar="NAME",
        ),
    ] = "auto",
    samples: Annotated[
        int, typer.Option(help="How many of the pictures each group of ops is run on.")
    ] = 2,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder for sensitivity.json and the chart sensitivity.svg."
        ),
    ] = None,
    family: Family = None,
    spec: SpecFile = None,
    labels: Labels = None,
    input_shape: InputShape = None,
    set_input: SetInput = None,
    no_cache: NoCache = False,
    json: Json = False,
) -> None:
    """Rank ops by what quantizing each alone costs."""
    from mobileq.console import Console
    from mobileq.workflows.opening import Overrides
    from mobileq.workflows.sensitivity import CHART_NAME, JSON_NAME
    from mobileq.workflows.sensitivity import sensitivity as run
    from mobileq.workflows.source import Head

    console = Console(json)
    found = run(
        model,
        calib,
        calib_count=calib_count,
        seed=seed,
        head=cast(Head, head),  # checked by the library, which says what is allowed
        samples=samples,
        output=output,
        overrides=Overrides(family, spec, labels, tuple(input_shape or ()), tuple(set_input or ())),
        cache=not no_cache,
        progress=console,
    )
    if json:
        console.document(found)
        return
    found.tell(console)
    if output is not None:
        console.line(f"Written: {output / JSON_NAME}, {output / CHART_NAME}", "strong")
