"""The stages of `ship`, each carried out only where what an earlier run left is not right."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

from mobileq.android.apk import read_apk
from mobileq.android.build import build_apk, built_apk
from mobileq.android.options import AndroidOptions
from mobileq.android.project import STATE_NAME, bundle_runtimes, render_project
from mobileq.bundle import read_bundle, verify_bundle
from mobileq.device.adb import find_adb
from mobileq.device.install import is_installed
from mobileq.device.listing import chosen
from mobileq.device.phone import Phone
from mobileq.device.runner.kit import find_kit
from mobileq.device_bench import Bench, fastest_rows, newest_rows
from mobileq.errors import (
    EXIT_FAILED,
    EXIT_OK,
    DeviceError,
    InputError,
    MissingDependencyError,
    MobileqError,
    ToolError,
)
from mobileq.evaluate.recommend import Recommendation
from mobileq.evaluate.report import read_report
from mobileq.hashing import file_digest
from mobileq.manifest import Failure
from mobileq.page import megabytes, plural
from mobileq.paths import StrPath, model_name
from mobileq.progress import Progress
from mobileq.spec import Artifact, Sha256
from mobileq.workflows.bench import bench, cases
from mobileq.workflows.convert import convert
from mobileq.workflows.install import install
from mobileq.workflows.on_phone import runs_there
from mobileq.workflows.push import push
from mobileq.workflows.receipts import Receipts, digest, traced_model
from mobileq.workflows.recommend import fastest_delegate, recommend
from mobileq.workflows.request import ConvertOptions
from mobileq.workflows.shipped import ON_PHONE, STAGES, Shipped, ShipStage
from mobileq.workflows.validate import validate

_RECEIPTS = "ship.json"
_BUILT = ("build", ".gradle", ".kotlin", ".idea")
"""Folders that Gradle and Android Studio put into a project."""


@dataclass(frozen=True, kw_only=True)
class ShipOptions:
    """What `ship` is told.

    Attributes:
        converted, force, cache, command: As of `convert`.
        app: The project's options; its runtimes are those that the bundle has files for.
        images, annotations: What the files are validated on: see `validate`.
        count: How many of these, spread evenly; None: all.
        device: Go on to a phone, where there is one.
        delegates, threads, runs: What is measured there: see `bench`.
        serial, adb, runner, mnn_libs: Which phone, and by what: see `PhoneRunners`.
    """

    converted: ConvertOptions
    force: bool
    cache: bool
    command: tuple[str, ...]
    app: AndroidOptions
    images: Path | None
    annotations: Path | None
    count: int | None
    device: bool
    delegates: tuple[str, ...]
    threads: tuple[int, ...]
    runs: int
    serial: str | None
    adb: StrPath | None
    runner: StrPath | None
    mnn_libs: StrPath | None


class Shipping:
    """One run of all stages."""

    def __init__(
        self,
        model: Path,
        output: Path,
        options: ShipOptions,
        progress: Progress,
    ) -> None:
        self._model, self._output = model, output
        self._options, self._progress = options, progress
        self._bundle, self._project = output / model_name(model), output / "app"
        self._receipts = Receipts(output / _RECEIPTS)
        self._stages: list[ShipStage] = []
        self._made: Sha256 | None = None
        """Digest of the model files, which no stage but the first changes."""
        self._phone, self._without = _phone(options)

    def run(self) -> Shipped:
        """All stages."""
        self._stage("convert", self._convert)
        self._made = _made(self._bundle)
        for name in STAGES[1:]:
            if self._made is None or self._stages[0].state == "FAILED":
                self._left_out(name, "There is no bundle.")
            elif name in ON_PHONE and self._phone is None:
                self._left_out(name, self._without)
            else:
                self._stage(name, getattr(self, f"_{name}"))
        return Shipped(
            output=str(self._output),
            bundle=None if self._made is None else str(self._bundle),
            app=str(self._project) if self._project.is_dir() else None,
            device=self._phone.serial if self._phone else None,
            stages=tuple(self._stages),
            recommendation=self._recommended(),
        )

    def _stage(self, name: str, carry_out: Callable[[], ShipStage]) -> None:
        """Carry out a stage; what is wrong with it ends those that need it alone."""
        self._progress.notice(f"Stage {STAGES.index(name) + 1} of {len(STAGES)}: {name}.")
        try:
            stage = carry_out()
        except MobileqError as error:
            stage = ShipStage(
                name=name,
                state="FAILED",
                told=error.message,
                hint=error.hint,
                exit_code=error.exit_code,
            )
            if isinstance(error, DeviceError) and self._phone is not None:
                self._phone = None
                self._without = error.message
        self._stages.append(stage)

    def _left_out(self, name: str, why: str) -> None:
        self._stages.append(ShipStage(name=name, state="left out", told=why))

    def _convert(self) -> ShipStage:
        options = self._options
        inputs = digest(model=traced_model(self._model), options=options.converted)
        is_right = self._receipts.is_right("convert", inputs, _made(self._bundle))
        if not is_right:
            convert(
                self._model,
                self._bundle,
                options.converted,
                force=options.force or self._receipts.has("convert"),
                cache=options.cache,
                command=options.command,
                progress=self._progress,
            )
            self._receipts.note("convert", inputs, _made(self._bundle))
        manifest = read_bundle(self._bundle).manifest
        made = plural(len(manifest.artifacts), "file")
        return _stage_of("convert", is_right, made, _failed(manifest.failures))

    def _push(self) -> ShipStage:
        assert self._phone is not None
        names = [each.name for each in self._runnable()]
        if not names:
            return ShipStage(name="push", state="left out", told="No file runs on a phone.")
        done = push(self._bundle, names, **self._on_phone(), progress=self._progress)
        told = f"{plural(len(done.sent), 'file')} sent ({megabytes(done.sent_bytes)})"
        is_right = not done.sent
        return _stage_of("push", is_right, "everything was there" if is_right else told)

    def _validate(self) -> ShipStage:
        options, samples = self._options, self._options.images
        if samples is None:
            told = "There are no pictures to validate on: give --calib, or --eval-images."
            return ShipStage(name="validate", state="left out", told=told)
        there = self._phone is not None and self._runnable() and not _kit_problem(options)
        asked = {
            "made": self._made,
            "images": samples,
            "annotations": options.annotations,
            "count": options.count,
        }
        inputs = {"validate": digest(**asked)}
        if there and self._phone is not None:
            on = {"serial": self._phone.serial, "delegates": options.delegates}
            inputs["validate on the phone"] = digest(**asked, **on)
        last = list(inputs)[-1]
        before = _validated(self._bundle)
        is_right = self._receipts.is_right(last, inputs[last], before)
        if not is_right:
            try:
                validate(
                    *(self._bundle, samples, options.annotations),
                    count=options.count,
                    device=bool(there),
                    delegates=options.delegates,
                    runner=options.runner,
                    mnn_libs=options.mnn_libs,
                    **self._on_phone(),
                    progress=self._progress,
                )
            except DeviceError:
                # What this computer measured is there all the same.
                if _validated(self._bundle) != before:
                    self._receipts.note("validate", inputs["validate"], _validated(self._bundle))
                raise
            for name, each in inputs.items():
                self._receipts.note(name, each, _validated(self._bundle))
        found = read_report(self._bundle).validation
        assert found is not None
        against = f" ({found.annotations})" if found.annotations else ", no labels"
        told = f"{plural(found.images, 'image')}{against}"
        told += f", and on {found.phone.device}" if found.phone else ""
        failures = (*found.failures, *(found.phone.failures if found.phone else ()))
        return _stage_of("validate", is_right, told, _failed(failures))

    def _bench(self) -> ShipStage:
        assert self._phone is not None
        options, bundle = self._options, read_bundle(self._bundle)
        problem = _kit_problem(options)
        if problem is not None:
            raise problem
        wanted = {
            (artifact.name, delegate, threads)
            for artifact, delegate, threads in cases(
                self._runnable(), options.delegates, options.threads
            )
        }
        kept = {
            (row.artifact, row.delegate, row.threads)
            for found in bundle.benches
            if found.device.serial == self._phone.serial and found.runs >= options.runs
            for row in found.rows
        }
        missing = sorted({artifact for artifact, *_ in wanted - kept})
        if missing:
            bench(
                *(self._bundle, missing),
                delegates=options.delegates,
                threads=options.threads,
                runs=options.runs,
                runner=options.runner,
                mnn_libs=options.mnn_libs,
                **self._on_phone(),
                progress=self._progress,
            )
        rows = newest_rows(self._benches())
        failures = [(f"{row.artifact} on {row.where}", row.problem) for row in rows if row.problem]
        timings = plural(len(rows) - len(failures), "timing")
        told = f"{timings} of {plural(options.runs, 'run')}"
        return _stage_of("bench", not missing, told, failures)

    def _app(self) -> ShipStage:
        bundle = read_bundle(self._bundle)
        app = self._options.app
        fastest = fastest_delegate(bundle, self._benches(), self._recommended())
        runtimes, delegate = bundle_runtimes(bundle), fastest or app.delegate
        options = replace(app, runtimes=runtimes, delegate=delegate)
        done = render_project(bundle, self._project, options)
        for each in done.problems:
            self._progress.notice(each)
        changed = [*done.written, *done.removed]
        told = f"{plural(len(changed), 'file')} written" if changed else "nothing to write"
        if done.kept:
            told += f", {plural(len(done.kept), 'file')} kept as you changed them"
        return _stage_of("app", not changed, told)

    def _install(self) -> ShipStage:
        assert self._phone is not None
        if not (self._project / STATE_NAME).is_file():
            raise InputError(f"There is no app in {self._project}.", "See what failed before.")
        inputs = digest(project=_sources(self._project))
        apk = _built(self._project)
        if apk is None or not self._receipts.is_right("build", inputs, file_digest(apk)):
            apk = build_apk(self._project, self._progress)
            self._receipts.note("build", inputs, file_digest(apk))
        package = read_apk(apk)
        is_right = is_installed(self._phone, package)
        if not is_right:
            install(apk, **self._on_phone(), progress=self._progress)
        told = f"{package.application_id} ({megabytes(apk.stat().st_size)})"
        return _stage_of("install", is_right, told)

    def _runnable(self) -> list[Artifact]:
        """What the runner of a phone can run."""
        libraries = [] if self._options.mnn_libs is None else ["mnn"]
        artifacts = read_bundle(self._bundle).manifest.artifacts
        return [each for each in artifacts if runs_there(each, libraries)]

    def _on_phone(self) -> _OnPhone:
        serial = self._phone.serial if self._phone else None
        return {"serial": serial, "adb": self._options.adb}

    def _benches(self) -> list[Bench]:
        """Of this phone."""
        serial = self._phone.serial if self._phone else None
        return [each for each in read_bundle(self._bundle).benches if each.device.serial == serial]

    def _recommended(self) -> Recommendation | None:
        """By the phone's times, where it ran anything."""
        if self._made is None:
            return None
        benches = self._benches()
        device = benches[0].device.serial if fastest_rows(newest_rows(benches)) else None
        return recommend(self._bundle, device=device)


class _OnPhone(TypedDict):
    serial: str | None
    adb: StrPath | None


def _stage_of(
    name: str,
    is_right: bool,
    told: str,
    failures: Sequence[tuple[str, str]] = (),
) -> ShipStage:
    """Of a stage that came to its end; `failures` are (what failed in it, why)."""
    problem = ""
    if failures:
        problem = f"{', '.join(what for what, _ in failures)} failed: {failures[0][1]}"
    return ShipStage(
        name=name,
        state="as before" if is_right else "done",
        told=told,
        problem=problem,
        exit_code=EXIT_FAILED if failures else EXIT_OK,
    )


def _failed(failures: Sequence[Failure]) -> list[tuple[str, str]]:
    return [(each.file_name, f"{each.reason} {each.hint}".rstrip()) for each in failures]


def _phone(options: ShipOptions) -> tuple[Phone | None, str]:
    """The phone to go on to; or why there is none.

    Raises:
        UsageError: There are several, or none of that name.
        MobileqError: The one that was named can't be used.
    """
    if not options.device:
        return None, "No phone is wanted."
    try:
        return Phone(chosen(find_adb(options.adb), options.serial)), ""
    except (DeviceError, MissingDependencyError) as error:
        if options.serial is not None or options.adb is not None:
            raise
        return None, f"{error.message} {error.hint}"


def _kit_problem(options: ShipOptions) -> MissingDependencyError | None:
    """Why nothing can be run on a phone."""
    try:
        find_kit(options.runner)
    except MissingDependencyError as error:
        return error
    return None


def _made(bundle: Path) -> Sha256 | None:
    """Digest of a bundle's model files; None where there is none as it was written."""
    try:
        if not verify_bundle(bundle).ok:
            return None
        artifacts = read_bundle(bundle).manifest.artifacts
    except MobileqError:
        return None
    return digest(files={each.name: each.sha256 for each in artifacts})


def _validated(bundle: Path) -> Sha256 | None:
    """Digest of what was measured of it; None where nothing was."""
    found = read_report(bundle).validation
    return None if found is None else digest(scores=found)


def _built(project: Path) -> Path | None:
    """The APK that is there."""
    try:
        apk = built_apk(project)
    except ToolError:
        return None
    return apk if apk.is_file() else None


def _sources(project: Path) -> dict[str, str]:
    """All that Gradle makes an app of, by content."""
    found = {}
    for parent, folders, names in os.walk(project):
        folders[:] = sorted(each for each in folders if each not in _BUILT)
        for path in (Path(parent, name) for name in sorted(names)):
            found[path.relative_to(project).as_posix()] = file_digest(path)
    return found
