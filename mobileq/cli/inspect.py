"""`mobileq inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobileq.cli.options import Family, InputShape, Json, Labels, SetInput, SpecFile


def inspect(
    model: Annotated[
        Path, typer.Argument(help="A .onnx, .tflite or .mnn file, or a bundle.", metavar="MODEL")
    ],
    input_shape: InputShape = None,
    set_input: SetInput = None,
    family: Family = None,
    spec: SpecFile = None,
    labels: Labels = None,
    json: Json = False,
) -> None:
    """Print what a model or bundle takes, gives and consists of."""
    from mobileq.console import Console
    from mobileq.workflows.inspect import inspect as run
    from mobileq.workflows.opening import Overrides

    console = Console(json)
    shapes, constants = tuple(input_shape or ()), tuple(set_input or ())
    found = run(model, Overrides(family, spec, labels, shapes, constants))
    if json:
        console.document(found)
        return
    found.tell(console)
    for notice in found.notices:
        console.notice(notice)
