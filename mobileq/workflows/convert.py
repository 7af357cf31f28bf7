"""`mobileq convert`: an ONNX model becomes a bundle of files that are known to agree with it."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

import msgspec

from mobileq import __version__
from mobileq.bundle import BundleWriter
from mobileq.cache import ResultCache
from mobileq.calibration.sources import printable
from mobileq.errors import (
    BudgetMissedError,
)
from mobileq.evaluate.report import REPORT_NAME, BudgetReport, Report
from mobileq.manifest import BundleManifest, RunInfo, SourceInfo, to_json
from mobileq.onnx_runtime import kept_child
from mobileq.paths import StrPath
from mobileq.progress import Progress, listener
from mobileq.quantize.plan import QuantPlan
from mobileq.staging import temporary_folder
from mobileq.targets.hosted import kept_children
from mobileq.tasks.base import Measure, task_of
from mobileq.workflows.beside import made_early
from mobileq.workflows.choices import ConvertChoices, chosen_options, takes
from mobileq.workflows.conversion import Conversion, Results
from mobileq.workflows.recipe_file import RECIPE_NAME, recipe_file
from mobileq.workflows.request import ConvertOptions, Request
from mobileq.workflows.stages import Stages


@takes(ConvertChoices)
def convert(
    model: StrPath,
    output: StrPath,
    options: ConvertOptions | None = None,
    *,
    force: bool = False,
    cache: bool = True,
    command: Sequence[str] = (),
    progress: Progress | None = None,
    **choices: Unpack[ConvertChoices],
) -> BundleManifest:
    """Convert an ONNX file, verify every result, and write the bundle of those that are right.

    Args:
        model: The ONNX file.
        output: The bundle's folder, which must not exist unless `force`.
        options: What to convert to, and how.
        force: Replace an existing bundle.
        cache: Reuse results of earlier runs with the same inputs.
        command: What to note in the manifest as the command line.
        progress: Who listens; see `mobileq.progress.listener`.
        choices: In place of `options`, what `mobileq convert --help` lists, by the same names:
            `precision="fp32,int8"`, `calib="photos"`.

    Returns:
        The manifest, as written. Its `failures` are the files that could not be made right.

    Raises:
        MobileqError: One of its kinds, where not one file is right (with `options.strict`: where
            one is not); nothing is left half-written and an existing bundle is untouched.
    """
    progress = listener(progress)
    request = Request(chosen_options(options, choices))
    for notice in request.notices():
        progress.notice(notice)
    with (
        ResultCache(enabled=cache) as store,
        BundleWriter(Path(output), force=force) as bundle,
        temporary_folder() as scratch,
        kept_child(at_once=True),
        kept_children(),
    ):
        stages = Stages(store, scratch, progress)
        with request.converters():
            conversion = Conversion(Path(model), request, stages)
            with made_early(conversion.golden, early=conversion.leaves_room) as golden:
                results = conversion.run()
                with progress.stage("Writing golden vectors"):
                    for path, content in golden().items():
                        bundle.add_bytes(path, content)
        manifest = _write(bundle, results, Path(model), request.options, tuple(command))
        if store.notice:
            progress.notice(store.notice)
    if not all(each.met for each in results.budgets.values()):
        for failure in results.failures:
            progress.notice(f"{failure.file_name} failed: {failure.reason}")
    _require_budget(results.budgets, task_of(results.source.spec).measure)
    return manifest


def _require_budget(budgets: Mapping[str, BudgetReport], measure: Measure | None) -> None:
    for name, found in budgets.items():
        if measure is not None and not found.met:
            lost = "an unknown part" if found.decided_lost is None else f"{found.decided_lost:z.4f}"
            raise BudgetMissedError(
                f"{name} loses {lost} of {measure.name} at best ({found.decided_on}), more than "
                f"the budget of {found.budget:g}; the bundle holds the best that was found.",
                "Allow more with --budget, or use fp16.",
            )


def _write(
    bundle: BundleWriter,
    results: Results,
    model: Path,
    options: ConvertOptions,
    command: tuple[str, ...],
) -> BundleManifest:
    from mobileq.calibration.samples import calibration_info

    source, spec = results.source, results.source.spec
    _add_models(bundle, results)
    if spec.labels:
        bundle.add_bytes("labels.txt", ("\n".join(spec.labels) + "\n").encode())
    report = _report(results)
    bundle.add_bytes(REPORT_NAME, to_json(report))
    calibration = None
    if results.samples is not None and options.calib is not None:
        calibration = calibration_info(results.samples, options.calib, options.seed)
    artifacts = tuple(result.artifact for result in results.files)
    measure = task_of(spec).measure
    manifest = BundleManifest(
        model=spec,
        source=SourceInfo(
            file_name=printable(model.name),
            sha256=source.info.source_sha256,
            opset=source.info.opset,
            size_bytes=model.stat().st_size,
            set_inputs=source.info.set_inputs,
        ),
        artifacts=artifacts,
        run=RunInfo(created=_now(), command=tuple(printable(word) for word in command)),
        measurements={each.name: report.measurements(each.name, measure) for each in artifacts},
        calibration=calibration,
        failures=results.failures,
        tool_versions={"mobileq": __version__, "python": sys.version.split()[0]},
    )
    return bundle.finish(manifest).manifest


def _add_models(bundle: BundleWriter, results: Results) -> None:
    """The files, what belongs with them, what they were compared with, and how to make them."""
    source, name = results.source, results.source.spec.name
    for result in results.files:
        made = result.made
        bundle.add_file(made.artifact.path, made.path)
        for companion in made.companions:
            bundle.add_file(companion, made.path.parent / companion)
    bundle.add_file(f"reference/{name}.onnx", source.onnx)
    if source.quantized is not None:
        bundle.add_file(f"reference/{name}-quantized.onnx", source.quantized)
    recipes = recipe_file(
        (each.artifact for each in results.files),
        source.info.set_inputs,
        fold_preprocessing=source.info.fold_preprocessing,
    )
    if recipes is not None:
        bundle.add_bytes(RECIPE_NAME, to_json(recipes))


def _report(results: Results) -> Report:
    return Report(
        verifications={r.artifact.name: r.verification for r in results.files},
        plans={r.artifact.name: _reported(r.plan) for r in results.files if r.plan},
        budgets=results.budgets,
        layers={r.artifact.name: r.layers for r in results.files if r.layers},
    )


def _reported(plan: QuantPlan) -> QuantPlan:
    """Without the ranges, which are in the file itself."""
    return msgspec.structs.replace(plan, ranges={}, float_tensors=())


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
