"""`mobileq ship`: from an ONNX model to an app on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from mobileq.android.options import AndroidOptions
from mobileq.android.runtimes import RUNTIMES
from mobileq.errors import UsageError
from mobileq.paths import StrPath, model_name
from mobileq.progress import Progress, listener
from mobileq.workflows.bench import RUNS
from mobileq.workflows.choices import ConvertChoices, chosen_options, takes
from mobileq.workflows.request import ConvertOptions, Request
from mobileq.workflows.shipped import Shipped
from mobileq.workflows.shipping import ShipOptions, Shipping


@takes(ConvertChoices)
def ship(
    model: StrPath,
    output: StrPath | None = None,
    options: ConvertOptions | None = None,
    *,
    application_id: str,
    name: str = "",
    count: int | None = None,
    device: bool = True,
    delegates: Sequence[str] = ("cpu",),
    threads: Sequence[int] = (0,),
    runs: int = RUNS,
    serial: str | None = None,
    adb: StrPath | None = None,
    runner: StrPath | None = None,
    mnn_libs: StrPath | None = None,
    force: bool = False,
    cache: bool = True,
    command: Sequence[str] = (),
    progress: Progress | None = None,
    **choices: Unpack[ConvertChoices],
) -> Shipped:
    """Convert a model, validate its files, make an app of them; and where there is a phone, push,
    time and install them there.

    A stage whose inputs, options and results are as an earlier run left them is not carried out
    again. One that fails ends those that need it; what was done stays.

    Args:
        model: The ONNX file.
        output: The folder of it all; by default the model's name with `-ship`.
        options: What to convert to, and how; or `choices`, as of `convert`. Files are validated on
            its `eval_images` with its `annotations`, else on `calib` without labels; a budget is
            held on the same.
        application_id, name: Of the app; by default it is called like the model.
        count: How many pictures to validate on, spread evenly; None: all.
        device: Go on to a phone, where there is one.
        delegates, threads, runs: What is measured there: see `bench`. The app starts its model on
            the fastest of them, where several were tried; without a phone, on the first.
        serial, adb, runner, mnn_libs: Which phone, and by what: see `PhoneRunners`.
        force: Replace a bundle in that folder which an earlier run did not make.
        cache, command, progress: As of `convert`.

    Returns:
        How each stage went. What goes wrong in one is not raised: see `Shipped.failed`.

    Raises:
        UsageError: An option is wrong, or there are several phones.
        DeviceError: The phone that was named is not ready.
    """
    path = Path(model)
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", "Give an ONNX model.")
    wanted = chosen_options(options, choices)
    converted = wanted
    if wanted.quantization.budget is None:  # labels are for validating alone
        converted = replace(wanted, annotations=None, eval_images=None)
    Request(converted)  # what is wrong with the options is said at once
    app = AndroidOptions(
        application_id=application_id,
        name=name or model_name(path),
        runtimes=tuple(RUNTIMES),
    )
    if delegates and delegates[0] != "cpu":
        app = replace(app, delegate=delegates[0])
    shipping = Shipping(
        path,
        Path(output) if output is not None else Path(f"{model_name(path)}-ship"),
        ShipOptions(
            converted=converted,
            force=force,
            cache=cache,
            command=tuple(command),
            app=app,
            images=wanted.eval_images or wanted.calib,
            annotations=wanted.annotations,
            count=count,
            device=device,
            delegates=tuple(delegates),
            threads=tuple(threads),
            runs=runs,
            serial=serial,
            adb=adb,
            runner=runner,
            mnn_libs=mnn_libs,
        ),
        listener(progress),
    )
    return shipping.run()
