"""`mobileq convert`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from mobileq.cli.added_options import options_of_targets, precision_help, with_options
from mobileq.cli.options import (
    Family,
    InputShape,
    Json,
    Labels,
    NoCache,
    SetInput,
    SpecFile,
)
from mobileq.cli.project import command_line
from mobileq.targets.registry import TARGETS, default_target

if TYPE_CHECKING:
    from mobileq.console import Console
    from mobileq.manifest import BundleManifest


@with_options(options_of_targets())
def convert(
    model: Annotated[Path, typer.Argument(help="The ONNX file.", metavar="MODEL")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the new bundle.")],
    target: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Runtimes to convert for, of {', '.join(TARGETS)}; separated by commas. "
            f"Default: {default_target().name}.",
            metavar="NAMES",
        ),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(help=precision_help(), metavar="LIST"),
    ] = None,
    calib: Annotated[
        Path | None,
        typer.Option(
            help="Typical pictures: a folder, data.yaml, video or .npy; or tensors: .npy, .npz, a "
            "folder of them, or one for each input."
        ),
    ] = None,
    calib_count: Annotated[
        int | None, typer.Option(help="How many of them to use, if not 64.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of pictures.")] = 0,
    input_shape: InputShape = None,
    set_input: SetInput = None,
    family: Family = None,
    spec: SpecFile = None,
    labels: Labels = None,
    head: Annotated[
        str,
        typer.Option(
            help="raw ends the graph at its last convolutions, decoded keeps the decoding in it; "
            "auto: raw for the int8 kinds where it is known how to decode.",
            metavar="NAME",
        ),
    ] = "auto",
    fold_preprocessing: Annotated[
        bool,
        typer.Option(
            "--fold-preprocessing",
            help="Take scale, mean and deviation (and BGR) into the graph: files take RGB pixels, "
            "0 to 255.",
        ),
    ] = False,
    calibrator: Annotated[
        str,
        typer.Option(
            help="How ranges are chosen: min_max, moving_average, percentile, mse, entropy, admm, "
            "fisher; auto takes fisher, or tries them all.",
            metavar="NAME",
        ),
    ] = "auto",
    budget: Annotated[
        float | None,
        typer.Option(
            help="What int8 may lose of the task's measure (of boxes mAP50-95), such as 0.005; "
            "exit code 3 if it can't."
        ),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(
            help="Labels to hold the budget on; of boxes, COCO json or data.yaml; of classes, "
            "folders, a CSV or data.yaml. Half the pictures decide, half are reported on."
        ),
    ] = None,
    eval_images: Annotated[
        Path | None, typer.Option(help="Folder of the pictures of --annotations.")
    ] = None,
    repair: Annotated[
        list[str] | None,
        typer.Option(
            help="Steps that prepare the weights: input-scaling, weight-rounding, "
            "compensated-rounding, weight-shift, bias-correction; separated by commas, or auto "
            "(the default).",
            metavar="NAMES",
        ),
    ] = None,
    no_search: Annotated[
        bool, typer.Option("--no-search", help="Quantize all ops with mse ranges; try nothing.")
    ] = False,
    recipe: Annotated[
        Path | None, typer.Option(help="The recipe.json of a bundle, to make its int8 files again.")
    ] = None,
    keep_float: Annotated[
        list[str] | None,
        typer.Option(
            help="Tensors whose ops stay float in int8 files; `sensitive`, of other tools' files: "
            "those that mobileq's search finds. Can be repeated.",
            metavar="REGEX",
        ),
    ] = None,
    layer_noise: Annotated[
        bool,
        typer.Option(
            "--layer-noise",
            help="Measure the noise inside of each int8 file, tensor by tensor, for the report.",
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="All files or none: write no bundle where one file fails."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing bundle.")] = False,
    no_cache: NoCache = False,
    json: Json = False,
    **target_options: str,
) -> None:
    """Convert an ONNX model and verify every file that comes out.

    Files that can't be made right are named and left out of the bundle (exit code 1).
    """
    from mobileq.console import Console
    from mobileq.preparation.prepared_file import expected

    console = Console(json)
    with expected():
        from mobileq.quantize.plan import Calibrator
        from mobileq.workflows.choices import ConvertChoices, chosen_options
        from mobileq.workflows.convert import convert as run
        from mobileq.workflows.source import Head

        choices = ConvertChoices(
            target=target or default_target().name,
            precision=precision or None,
            calib=calib,
            calib_count=calib_count,
            seed=seed,
            # The library checks these itself and says what is allowed.
            head=cast(Head, head),
            calibrator=cast(Calibrator, calibrator),
            fold_preprocessing=fold_preprocessing,
            search=not no_search,
            budget=budget,
            keep_float=keep_float or (),
            repair=repair,
            eval_images=eval_images,
            annotations=annotations,
            recipe=recipe,
            family=family,
            spec=spec,
            labels=labels,
            input_shape=input_shape or (),
            set=set_input or (),
            layer_noise=layer_noise,
            strict=strict,
        )
        options = chosen_options(None, cast(ConvertChoices, {**choices, **target_options}))
        manifest = run(
            model,
            output,
            options,
            force=force,
            cache=not no_cache,
            command=command_line(),
            progress=console,
        )
    _tell(manifest, output, console, json)


def _tell(manifest: BundleManifest, output: Path, console: Console, json: bool) -> None:
    """What was made, which file to ship, and what failed, with the exit code that it has."""
    from msgspec import structs

    from mobileq.console import print_error
    from mobileq.errors import EXIT_FAILED, MobileqError
    from mobileq.evaluate.ship import candidates_of, which_to_ship

    ship = which_to_ship(candidates_of(manifest))
    if json:
        console.document({**structs.asdict(manifest), "ship": ship})
    else:
        manifest.tell(console)
        ship.tell(console)
        console.line(f"Bundle: {output}", "strong")
    if manifest.failures:
        names = ", ".join(each.file_name for each in manifest.failures)
        print_error(
            MobileqError(
                f"Not in the bundle, since they failed: {names}.", manifest.failures[0].hint
            )
        )
        raise typer.Exit(EXIT_FAILED)
