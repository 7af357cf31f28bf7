"""What int8 costs: mAP, size, latency and seconds of mobileq's files and of other tools' files.

    python benchmarks/accuracy.py [--models nanodet,yolov5n] [--rows int8,nncf]
                    [--target tflite,mnn,onnxruntime] [--nncf-python PYTHON] [-o FOLDER]

Calibrated and decided on the first 64 pictures of coco128 (by file name) without their labels,
evaluated on coco500. The README of this folder says what the columns mean.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import numpy as np
from accuracy_rows import REFERENCE, ROWS, Result, Row, as_text, set_sqnr, write
from accuracy_runs import THREADS, answers_of, opened_with_threads, side_by_side

from mobileq.bootstrap import TIMES, resamples, standard_error
from mobileq.bundle import read_bundle
from mobileq.calibration.samples import SampleSet
from mobileq.errors import MobileqError
from mobileq.evaluate.numeric import OutputComparison
from mobileq.evaluate.report import Report
from mobileq.evaluate.scores import Answers
from mobileq.evaluate.verify import run_reference, verify
from mobileq.preparation.prepare import prepare
from mobileq.progress import Silent
from mobileq.spec import ModelSpec, QuantRecipe
from mobileq.targets.base import ConversionJob, Runner
from mobileq.targets.onnxruntime.own_quantizer import quantize_statically
from mobileq.targets.qdq.options import QdqOptions
from mobileq.targets.registry import TARGETS
from mobileq.tasks.base import figure
from mobileq.tasks.detect.labels.dataset import GroundTruth, load_ground_truth
from mobileq.vision.preprocess import feed_picture, read_image
from mobileq.workflows.inputs import VERIFY_COUNT, open_calibration, verification_samples
from mobileq.workflows.opening import OpenModel, of_artifact

COUNT = 64
"""Pictures to calibrate on."""
INT8 = TARGETS["tflite"].precision("int8")
"""Measured, and held to nothing."""
PACKAGES = ("mobileq", "onnxruntime", "onnx2tf", "ai-edge-litert", "tensorflow", "mnn")


class RowError(Exception):
    """A row that cannot be had, in one sentence."""


def main() -> None:
    """Run all models and rows, print the tables, write the files."""
    options = parse_options()
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="mobileq-accuracy-") as folder:
        scratch = Path(folder)
        data = Data(data_folder(), scratch)
        print(heading(options), flush=True)
        for model in options.models:
            work = scratch / model.stem
            work.mkdir()
            results += Benchmark(model, data, work, options).run()
            shutil.rmtree(work)
            print(as_text([r for r in results if r.model == model.stem]), flush=True)
            if options.output:  # after each model: what was measured outlives an interruption
                write(options.output, heading(options), results)


def parse_options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", help="names in the data folder, or .onnx files; default: all")
    parser.add_argument("--rows", help=f"of {', '.join(row.key for row in ROWS)}; default: all")
    parser.add_argument(
        "--target", default="tflite", help="tflite, mnn, onnxruntime; default: tflite"
    )
    parser.add_argument(
        "--nncf-python", default=sys.executable, help="a Python with nncf; default: this one"
    )
    parser.add_argument("--rounds", type=int, default=15, help="turns of the latency loop")
    parser.add_argument("-o", "--output", type=Path, help="folder for accuracy.json, accuracy.md")
    options = parser.parse_args()
    options.models = chosen_models(options.models)
    options.rows = chosen_rows(parser, options.target.split(","), options.rows)
    options.nncf_version = nncf_version(options.nncf_python)
    return options


def data_folder() -> Path:
    """The models and photos that are not part of the project, as the tests find them."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MOBILEQ_TEST_DATA") or default)
    if not (folder / "coco500").is_dir():
        raise SystemExit(f"The data folder {folder} is missing (set MOBILEQ_TEST_DATA).")
    return folder


def chosen_models(wanted: str | None) -> list[Path]:
    """Paths of the models."""
    known = {path.stem: path for path in sorted((data_folder() / "models").glob("*.onnx"))}
    if wanted is None:
        return list(known.values())
    chosen = [known.get(name, Path(name)) for name in wanted.split(",")]
    for path in chosen:
        if not path.is_file():
            raise SystemExit(f"There is no model {path}; the data folder has {', '.join(known)}.")
    return chosen


def chosen_rows(
    parser: argparse.ArgumentParser, targets: list[str], wanted: str | None
) -> list[Row]:
    """The rows in the table's order, always with those that others are held against."""
    if unknown := set(targets) - {"tflite", "mnn", "onnxruntime"}:
        parser.error(f"there is no target {min(unknown)!r}")
    if wanted is None:
        keys = [row.key for row in ROWS if row.target in targets or row.key == "nncf"]
    else:
        keys = wanted.split(",")
    if unknown := set(keys) - {row.key for row in ROWS}:
        parser.error(f"there is no row {min(unknown)!r}")
    keys += [row.file_of for row in ROWS if row.key in keys]
    keys += [REFERENCE, *(row.base for row in ROWS if row.key in keys)]
    return [row for row in ROWS if row.key in keys]


def nncf_version(python: str) -> str | None:
    """NNCF's version there, without importing it; None where there is none."""
    code = "import importlib.metadata as m; print(m.version('nncf'))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


class Data:
    """The first pictures of coco128 (by file name) to calibrate and decide on, without labels;
    coco500, of which no file has seen anything, to evaluate on."""

    def __init__(self, source: Path, scratch: Path) -> None:
        pictures = sorted((source / "coco128/images").glob("*.jpg"), key=lambda path: path.name)
        if len(pictures) < COUNT:
            raise SystemExit(f"{source} has {len(pictures)} pictures, {COUNT} are needed.")
        self.calibration = copied(pictures[:COUNT], scratch / "calibration")
        evaluation = source / "coco500"
        self.truth: GroundTruth = load_ground_truth(
            evaluation / "annotations.json", evaluation / "images"
        )
        self.pictures = list(self.truth.images)
        self.keys = [image_id for image_id, _ in self.pictures]
        self.draws = resamples(len(self.pictures))


def copied(files: Sequence[Path], folder: Path) -> Path:
    """A new folder with these files."""
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder / file.name)
    return folder


class Benchmark:
    """All rows of one model."""

    def __init__(self, model: Path, data: Data, work: Path, options: argparse.Namespace) -> None:
        self._model, self._data, self._work, self._options = model, data, work, options
        self._drawn: dict[str, np.ndarray] = {}
        """mAP on the same draws of the pictures for all files."""
        prepared = prepare(model)
        if prepared.spec.decode is None or prepared.spec.preprocess is None:
            raise SystemExit(f"Detections of {model.name} can't be decoded.")
        self._spec: ModelSpec = prepared.spec
        self._onnx = work / f"{model.stem}.onnx"
        self._onnx.write_bytes(prepared.model.SerializeToString(deterministic=True))

    def run(self) -> list[Result]:
        """Convert all, measure the accuracy of each, and the latency of all side by side."""
        results = {
            row.key: Result(model=self._model.stem, row=row.key, title=row.title)
            for row in self._options.rows
        }
        opened: dict[str, OpenModel] = {}
        for row in self._options.rows:
            self._attempt(
                results[row.key], "made", lambda row=row: self._make(row, opened, results)
            )
        with ExitStack() as stack:
            runners: dict[str, Runner] = {}
            found: dict[str, Answers] = {}
            by_key = {row.key: row for row in self._options.rows}
            for key, model in opened.items():
                self._attempt(
                    results[key],
                    "measured",
                    lambda key=key, model=model: self._measure(
                        by_key[key], model, stack, runners, found, results[key]
                    ),
                )
            self._compare(results, found)
            self._latency(results, runners)
        return list(results.values())

    def _attempt(self, result: Result, done: str, work: Callable[[], None]) -> None:
        """A row that fails leaves a note and does not stop the others."""
        try:
            work()
        except (RowError, MobileqError) as error:
            result.note = str(error)
        print(f"{result.model} {result.row}: {result.note or done}", file=sys.stderr, flush=True)

    def _make(self, row: Row, opened: dict[str, OpenModel], results: dict[str, Result]) -> None:
        """Make the row's file, with its size and the seconds that it took."""
        result = results[row.key]
        if row.key == "onnx":
            opened[row.key] = self._opened_onnx(self._onnx)
        elif row.file_of:
            if row.file_of not in opened:
                raise RowError("there is no file")
            opened[row.key] = opened[row.file_of]
        elif row.method:
            opened[row.key] = self._static(row, result)
        elif row.key == "nncf":
            opened[row.key] = self._nncf(result)
        else:
            opened[row.key] = self._converted(row, result)
        result.size_mb = opened[row.key].path.stat().st_size / 1e6
        base = results[row.base].size_mb if row.base in results else None
        result.size_ratio = result.size_mb / base if base else None

    def _opened_onnx(self, path: Path) -> OpenModel:
        spec = self._spec
        return OpenModel(path.stem, path, "onnxruntime", spec, spec.inputs, spec.outputs)

    def _converted(self, row: Row, result: Result) -> OpenModel:
        assert row.arguments is not None
        if "tensorflow" in row.arguments and importlib.util.find_spec("tensorflow") is None:
            raise RowError("TensorFlow is not installed")
        bundle, cache = self._work / row.key, self._work / f"{row.key}-cache"
        command = [sys.executable, "-m", "mobileq", "convert", str(self._model), *row.arguments]
        command += ["--calib", str(self._data.calibration), "--calib-count", str(COUNT)]
        command += ["--output", str(bundle)]
        result.seconds = timed(command, {"MOBILEQ_CACHE_DIR": str(cache)})
        shutil.rmtree(cache, ignore_errors=True)
        manifest = read_bundle(bundle).manifest
        (artifact,) = manifest.artifacts
        report = msgspec.json.decode((bundle / "report.json").read_bytes(), type=Report)
        set_sqnr(result, report.verifications[artifact.name].outputs)
        return of_artifact(bundle, manifest.model, artifact)

    def _nncf(self, result: Result) -> OpenModel:
        if self._options.nncf_version is None:
            raise RowError("not installed")
        output = self._work / "nncf.onnx"
        start = time.perf_counter()
        samples = self._samples()
        tensors = self._work / "samples.npy"
        name = self._spec.inputs[0].name
        np.save(tensors, np.stack([sample.feeds[name] for sample in samples]))
        script = Path(__file__).with_name("nncf_quantize.py")
        command = [self._options.nncf_python, str(script), str(self._onnx), str(tensors)]
        timed([*command, name, str(output)], {})
        result.seconds = time.perf_counter() - start
        tensors.unlink()
        model = self._opened_onnx(output)
        set_sqnr(result, self._verified(model, samples))
        return model

    def _static(self, row: Row, result: Result) -> OpenModel:
        """By ONNX Runtime's own quantizer."""
        samples, folder = self._samples(), self._work / row.key
        folder.mkdir()
        job = ConversionJob(
            model=self._onnx,
            spec=self._spec,
            recipe=QuantRecipe(precision="int8"),
            ranges={},
            keep_float=(),
            samples=lambda: (sample.feeds for sample in samples),
            sample_count=len(samples),
            output=folder / f"{row.key}.onnx",
            scratch=folder,
            progress=Silent(),
        )
        start = time.perf_counter()
        quantize_statically(
            job, job.output, row.method, QdqOptions(), decoding_too=row.key == "ort-all"
        )
        result.seconds = time.perf_counter() - start
        return self._opened_onnx(job.output)

    def _samples(self) -> SampleSet:
        return open_calibration(self._spec, self._data.calibration, COUNT, 0, Silent())

    def _verified(self, model: OpenModel, samples: SampleSet) -> tuple[OutputComparison, ...]:
        """Its outputs held against the float model's, on the pictures that `convert` takes."""
        feeds = verification_samples(self._spec, samples, VERIFY_COUNT, 0, self._onnx)
        reference, runner = opened_with_threads(self._opened_onnx(self._onnx)), None
        try:
            wanted = run_reference(reference, self._spec, feeds, Silent())
            runner = opened_with_threads(model)
            name = reference.interpreter
            return verify(runner, name, wanted, self._spec, INT8, Silent()).outputs
        finally:
            reference.close()
            if runner is not None:
                runner.close()

    def _measure(
        self,
        row: Row,
        model: OpenModel,
        stack: ExitStack,
        runners: dict[str, Runner],
        found: dict[str, Answers],
        result: Result,
    ) -> None:
        """Detections and mAP; a runner stays open for the latency loop."""
        runner = opened_with_threads(model, row.runner)
        stack.callback(runner.close)
        found[row.key] = answers_of(model.spec, runner, self._data.pictures)
        scored = found[row.key].accuracy(self._data.truth, self._data.keys)
        self._drawn[row.key], scores = scored.resampled(self._data.draws), scored.figures
        result.map50_95, result.map50 = figure(scores, "map50_95"), figure(scores, "map50")
        if row.runner:  # which computes as phones do, and not as fast
            runner.close()
            runner = opened_with_threads(model)
            stack.callback(runner.close)
        runners[row.key] = runner

    def _compare(self, results: dict[str, Result], found: dict[str, Answers]) -> None:
        reference = results[REFERENCE].map50_95
        if reference is None:
            return
        for key, result in results.items():
            if key == REFERENCE or key not in found or result.map50_95 is None:
                continue
            result.difference = result.map50_95 - reference
            result.error = standard_error(self._drawn[key] - self._drawn[REFERENCE])
            agreement = found[key].agreement(found[REFERENCE])
            result.agreement = figure(agreement.figures, "map50_95")

    def _latency(self, results: dict[str, Result], runners: dict[str, Runner]) -> None:
        feeds, _ = feed_picture(self._spec, read_image(self._data.pictures[0][1]))
        measured = side_by_side(runners, feeds, self._options.rounds)
        for key, milliseconds in measured.items():
            results[key].latency_ms = statistics.median(milliseconds)
            base = next(row.base for row in self._options.rows if row.key == key)
            if base in measured:
                pairs = zip(milliseconds, measured[base], strict=True)
                results[key].latency_ratio = statistics.median(a / b for a, b in pairs)


def timed(command: list[str], variables: dict[str, str]) -> float:
    """Seconds of a command. Raises RowError with the end of what it wrote where it fails."""
    environment = {**os.environ, **variables, "COLUMNS": "1000", "NO_COLOR": "1"}
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise RowError(f"failed ({done.returncode}): {' '.join(lines[-2:])[:240]}")
    return seconds


def heading(options: argparse.Namespace) -> str:
    """What the figures were measured with."""
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    if options.nncf_version:
        versions.append(f"nncf {options.nncf_version}")
    return (
        f"Calibrated and decided on the first {COUNT} pictures of coco128 without labels, "
        f"evaluated on coco500; s.e. by {TIMES} paired draws of the pictures. "
        f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()}; {THREADS} threads, "
        f"median of {options.rounds} rounds. {', '.join(versions)}."
    )


if __name__ == "__main__":
    main()
