"""`mobileq detect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobileq.cli.options import (
    ArtifactName,
    DrawTo,
    Family,
    InputShape,
    Interpreter,
    Json,
    Labels,
    Model,
    Pictures,
    Score,
    SetInput,
    SpecFile,
)


def detect(
    model: Model,
    images: Pictures,
    artifact: ArtifactName = None,
    coco: Annotated[Path | None, typer.Option(help="Write COCO results there.")] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="COCO json whose image and category ids to use.")
    ] = None,
    output: DrawTo = None,
    score: Score = None,
    iou: Annotated[
        float | None, typer.Option(help="Overlap that makes two boxes one.", min=0.0, max=1.0)
    ] = None,
    family: Family = None,
    spec: SpecFile = None,
    labels: Labels = None,
    input_shape: InputShape = None,
    set_input: SetInput = None,
    interpreter: Interpreter = "auto",
    json: Json = False,
) -> None:
    """Find objects in pictures: print, draw, write COCO results."""
    from mobileq.console import Console
    from mobileq.workflows.detect import detect as run
    from mobileq.workflows.opening import Overrides

    console = Console(json)
    found = run(
        model,
        images,
        artifact=artifact,
        coco=coco,
        annotations=annotations,
        draw_to=output,
        score=score,
        iou=iou,
        overrides=Overrides(family, spec, labels, tuple(input_shape or ()), tuple(set_input or ())),
        interpreter=interpreter,
        progress=console,
    )
    if json:
        console.document(found)
        return
    found.tell(console)
