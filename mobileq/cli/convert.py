"""`mobileq convert`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from mobileq.cli.options import Family, InputShape, Json, Labels, NoCache, SpecFile, split_list


def convert(
    model: Annotated[Path, typer.Argument(help="The ONNX file.", metavar="MODEL")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the new bundle.")],
    target: Annotated[
        str, typer.Option(help="Runtimes to convert for: tflite.", metavar="NAMES")
    ] = "tflite",
    precision: Annotated[
        str,
        typer.Option(
            help="Of fp32, fp16, dynamic, int8, int8-full, int16x8, w8; separated by commas.",
            metavar="LIST",
        ),
    ] = "fp32,fp16,dynamic",
    engine: Annotated[
        str,
        typer.Option(
            help="direct (seconds), or tensorflow (minutes; needs the extra).", metavar="NAME"
        ),
    ] = "direct",
    io: Annotated[
        str,
        typer.Option(
            help="Type of an int8 file's inputs and outputs: float32, int8, uint8.", metavar="TYPE"
        ),
    ] = "float32",
    calib: Annotated[
        Path | None,
        typer.Option(help="Typical pictures: a folder, data.yaml, video or .npy."),
    ] = None,
    calib_count: Annotated[int, typer.Option(help="How many of them to use.")] = 64,
    seed: Annotated[int, typer.Option(help="Of the choice of pictures.")] = 0,
    input_shape: InputShape = None,
    family: Family = None,
    spec: SpecFile = None,
    labels: Labels = None,
    keep_float: Annotated[
        list[str] | None,
        typer.Option(
            help="Tensors whose ops stay float in int8 files. Can be repeated.", metavar="REGEX"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing bundle.")] = False,
    no_cache: NoCache = False,
    json: Json = False,
) -> None:
    """Convert an ONNX model and verify every file that comes out."""
    from mobileq.console import Console
    from mobileq.spec import Engine, IoDtype, Precision
    from mobileq.workflows.convert import ConvertOptions
    from mobileq.workflows.convert import convert as run
    from mobileq.workflows.opening import Overrides

    console = Console(json)
    options = ConvertOptions(
        targets=split_list(target),
        # The library checks these itself and says what is allowed.
        precisions=cast(tuple[Precision, ...], split_list(precision)),
        engine=cast(Engine, engine),
        io=cast(IoDtype, io),
        calib=calib,
        calib_count=calib_count,
        seed=seed,
        keep_float=tuple(keep_float or ()),
        overrides=Overrides(family, spec, labels, tuple(input_shape or ())),
    )
    manifest = run(
        model,
        output,
        options,
        force=force,
        cache=not no_cache,
        command=("mobileq", *sys.argv[1:]),
        progress=console,
    )
    if json:
        console.document(manifest)
        return
    from mobileq.cli.tables import print_manifest

    print_manifest(console, manifest, output)
