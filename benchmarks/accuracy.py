"""What int8 costs: mAP, size, latency and seconds of mobileq's files and of other tools' files.

    python benchmarks/accuracy.py [--models nanodet,yolov5n] [--rows int8,nncf]
                    [--target tflite,mnn,onnxruntime] [--environments FOLDER] [-o FOLDER]

Calibrated and decided on the first 64 pictures of coco128 (by file name) without their labels,
evaluated on coco500. A run with -o that was cut goes on where it was. The README of this folder
says what the columns mean. `peers.py` runs it with the tools of others.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from accuracy_files import Files
from accuracy_rows import REFERENCE, ROWS, TARGETS, Result, Row, as_text, chosen_rows, read, write
from accuracy_runs import StoredAnswers, opened, ratios, run_over, side_by_side, tell
from environments import TOOLS, RowError, version_of

from mobileq.bootstrap import PERFECT, TIMES, Estimate, resamples
from mobileq.errors import MobileqError
from mobileq.targets.base import Runner
from mobileq.tasks.base import Answer, Level, task_of
from mobileq.vision.preprocess import feed_picture, read_image
from mobileq.workflows.opening import OpenModel

COUNT = 64
"""Pictures to calibrate on."""
PACKAGES = (
    "mobileq", "onnxruntime", "onnx2tf", "ai-edge-litert", "ai-edge-quantizer", "tensorflow", "mnn"
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all models and rows, print the tables, write the files."""
    options = parse_options(arguments)
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mobileq-acc-")))
        folder: Path = options.output or temporary / "run"
        folder.mkdir(parents=True, exist_ok=True)
        calibration = copied_calibration(temporary / "calibration", options.calib_count)
        about, results = heading(options), read(folder)
        print(about, flush=True)
        for model in options.models:
            with failing(model.stem):
                files = Files(model, folder / model.stem, calibration, options.environments)
                mine = Benchmark(files, options, folder, about, results).run()
                print(as_text(mine), flush=True)


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", help="names in the data folder, or .onnx files; default: all")
    parser.add_argument("--rows", help=f"of {', '.join(row.key for row in ROWS)}; default: all")
    parser.add_argument(
        "--target", default="tflite", help=f"of {', '.join(TARGETS)}; default: tflite"
    )
    parser.add_argument(
        "--environments", type=Path, default=Path("build/peers"), help="of tools, see peers.py"
    )
    parser.add_argument("--calib-count", type=int, default=COUNT, help="default: %(default)s")
    parser.add_argument("--pictures", type=int, help="evaluate on the first of coco500 only")
    parser.add_argument("--threads", type=int, default=1, help="of an inference; default: 1")
    parser.add_argument("--rounds", type=int, default=15, help="turns of the latency loop")
    parser.add_argument(
        "-o", "--output", type=Path, help="folder for accuracy.json, accuracy.md and all files"
    )
    options = parser.parse_args(arguments)
    options.models = chosen_models(options.models)
    try:
        wanted = options.rows.split(",") if options.rows else None
        options.rows = chosen_rows(options.target.split(","), wanted)
    except ValueError as error:
        parser.error(str(error))
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


def copied_calibration(folder: Path, count: int) -> Path:
    """The first pictures of coco128 (by file name), without labels."""
    found = (data_folder() / "coco128/images").glob("*.jpg")
    pictures = sorted(found, key=lambda path: path.name)[:count]
    if len(pictures) < count:
        raise SystemExit(f"coco128 has {len(pictures)} pictures, {count} are needed.")
    folder.mkdir()
    for picture in pictures:
        shutil.copy(picture, folder / picture.name)
    return folder


@contextmanager
def failing(what: str, result: Result | None = None) -> Iterator[None]:
    """A row that fails leaves a note and does not stop the others."""
    try:
        yield
    except (RowError, MobileqError) as error:
        tell(f"{what}: {error}")
        if result is not None:
            result.note = str(error)


class Benchmark:
    """All rows of one model; `results` are those of all models, of runs before this one too."""

    def __init__(
        self,
        files: Files,
        options: argparse.Namespace,
        folder: Path,
        about: str,
        results: list[Result],
    ) -> None:
        self._files, self._options, self._folder = files, options, folder
        self._about, self._results = about, results
        self._spec, self._task = files.spec, task_of(files.spec)
        if self._task.measure is None or files.spec.preprocess is None:
            raise RowError("what it says of pictures is not known")
        images = data_folder() / "coco500/images"
        self._truth = None
        self._pictures = list(enumerate(sorted(images.iterdir())))
        if self._task.name == "detect":
            self._truth = self._task.truth(images.parent / "annotations.json", images)
            self._pictures = list(self._truth.images)
        self._pictures = self._pictures[: options.pictures]

    def run(self) -> list[Result]:
        """Make all files, measure the accuracy of each, and the latency of all side by side."""
        self._rows = {row.key: row for row in self._options.rows}
        mine = {key: self._result(row) for key, row in self._rows.items()}
        models: dict[str, OpenModel] = {}
        for key, row in self._rows.items():
            self._make(row, mine[key], models)
        with ExitStack() as stack:
            estimates = self._estimates(models, mine, stack)
            reference = estimates.get(REFERENCE)
            for key, estimate in estimates.items():
                mine[key].figure = estimate.value
                if key != REFERENCE and reference is not None:
                    difference = estimate - reference
                    mine[key].difference, mine[key].error = difference.value, difference.error
            self._write()
        with ExitStack() as stack:
            self._latency(models, mine, stack)
            self._write()
        return list(mine.values())

    def _result(self, row: Row) -> Result:
        """Of this model and row, from a run before where there is one."""
        name = self._spec.name
        for known in self._results:
            if (known.model, known.row) == (name, row.key):
                return known
        new = Result(model=name, row=row.key, title=row.title)
        order = {row.key: at for at, row in enumerate(ROWS)}
        self._results.append(new)
        self._results.sort(key=lambda each: (each.model, order.get(each.row, 0)))
        return new

    def _make(self, row: Row, result: Result, models: dict[str, OpenModel]) -> None:
        measure = self._task.measure
        assert measure is not None
        result.note, result.title = "", row.title
        result.measure = measure.name if self._truth else f"{measure.name} agreement"
        if self._files.opened(row) is None:
            self._stored(row.key).unlink(missing_ok=True)
        with failing(f"{result.model} {row.key}", result):
            models[row.key] = self._files.make(row, result)
            base = models.get(row.base)
            result.size_mb = models[row.key].path.stat().st_size / 1e6
            result.size_ratio = result.size_mb / (base.path.stat().st_size / 1e6) if base else None
            tell(f"{result.model} {row.key}: made in {result.seconds or 0:.0f} s")
        self._write()

    def _estimates(
        self, models: dict[str, OpenModel], mine: dict[str, Result], stack: ExitStack
    ) -> dict[str, Estimate]:
        """The figure of each file that runs."""
        runners: dict[str, Runner] = {}
        answers: dict[str, StoredAnswers] = {}
        for key, model in models.items():
            with failing(f"{self._spec.name} {key}", mine[key]):
                runners[key] = opened(model, self._options.threads, self._rows[key].runner)
                stack.callback(runners[key].close)
                answers[key] = StoredAnswers(self._stored(key))
                stack.callback(answers[key].close)
        level: Level = "all" if self._truth else "shown"
        failed = run_over(self._pictures, self._spec, models, runners, answers, level)
        for key, note in failed.items():
            mine[key].note = note
        keys = [key for key, _ in self._pictures]
        found = {
            row: [answer for key in keys for answer in answers[row].by_picture[key]]
            for row in answers
            if row not in failed
        }
        return {row: self._estimate(keys, found[REFERENCE], found[row]) for row in found}

    def _estimate(self, keys: list[int], wanted: list[Answer], found: list[Answer]) -> Estimate:
        """Of the labels, or of the float model's answers where there are none."""
        measure = self._task.measure
        assert measure is not None
        if self._truth is not None:
            scored = self._task.score(self._truth, keys, found)
        elif found is wanted:
            return PERFECT
        else:
            scored = self._task.agreement(wanted, found)
        return Estimate(measure.value(scored.figures), scored.resampled(resamples(len(keys))))

    def _latency(
        self, models: dict[str, OpenModel], mine: dict[str, Result], stack: ExitStack
    ) -> None:
        """As an app opens the files: those in pairs compute faster here than as on phones."""
        runnable = [key for key in models if mine[key].figure is not None]
        if all(mine[key].latency_ms for key in runnable):
            return
        runners = {}
        for key in runnable:
            runners[key] = opened(models[key], self._options.threads)
            stack.callback(runners[key].close)
        feeds, _ = feed_picture(self._spec, read_image(self._pictures[0][1]))
        measured = side_by_side(runners, feeds, self._options.rounds)
        for key, each in measured.items():
            mine[key].latency_ms = statistics.median(wall for wall, _ in each)
            if base := measured.get(self._rows[key].base):
                mine[key].latency_ratio, mine[key].cpu_ratio = ratios(each, base)

    def _stored(self, key: str) -> Path:
        return self._folder / self._spec.name / f"{key}.answers"

    def _write(self) -> None:
        write(self._folder, self._about, self._results)


def heading(options: argparse.Namespace) -> str:
    """What the figures were measured with."""
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    own = {tool: version_of(tool, options.environments) for tool in TOOLS}
    versions += [f"{tool} {version} (its own)" for tool, version in own.items() if version]
    threads = f"{options.threads} thread{'s' if options.threads > 1 else ''}"
    return (
        f"Calibrated and decided on the first {options.calib_count} pictures of coco128 without "
        f"labels, evaluated on {options.pictures or 'all'} of coco500; s.e. by {TIMES} paired "
        "draws of the pictures. "
        f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()}; {threads}, "
        f"median of {options.rounds} rounds. {', '.join(versions)}."
    )


if __name__ == "__main__":
    main()
