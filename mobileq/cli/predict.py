"""`mobileq predict`."""

from __future__ import annotations

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


def predict(
    model: Model,
    images: Pictures,
    artifact: ArtifactName = None,
    output: DrawTo = None,
    top: Annotated[int | None, typer.Option(help="Tell so many, the best.", min=1)] = None,
    score: Score = None,
    family: Family = None,
    spec: SpecFile = None,
    labels: Labels = None,
    input_shape: InputShape = None,
    set_input: SetInput = None,
    interpreter: Interpreter = "auto",
    json: Json = False,
) -> None:
    """Run a model on pictures: print and draw what it says."""
    from mobileq.console import Console
    from mobileq.workflows.opening import Overrides
    from mobileq.workflows.predict import predict as run

    console = Console(json)
    found = run(
        model,
        images,
        artifact=artifact,
        draw_to=output,
        score=score,
        top=top,
        overrides=Overrides(family, spec, labels, tuple(input_shape or ()), tuple(set_input or ())),
        interpreter=interpreter,
        progress=console,
    )
    if json:
        console.document(found)
        return
    found.tell(console)
