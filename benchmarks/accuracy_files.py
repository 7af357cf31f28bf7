"""Make the files that are measured, each with the seconds that it took."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from accuracy_rows import Result, Row
from environments import RowError, python_of, run, version_of

from mobileq.bundle import read_bundle
from mobileq.calibration.samples import SampleSet
from mobileq.preparation.prepare import prepare
from mobileq.progress import Silent
from mobileq.spec import QuantRecipe
from mobileq.targets.base import ConversionJob
from mobileq.targets.onnxruntime.own_quantizer import quantize_statically
from mobileq.targets.qdq.options import QdqOptions
from mobileq.targets.registry import load_target
from mobileq.workflows.inputs import open_calibration
from mobileq.workflows.opening import OpenModel, of_artifact

FAMILIES = {"efficientnet_lite0": "efficientnet_lite"}
"""Of the data folder's models, where a file does not show how it wants its pictures."""


class Files:
    """A model's files, in a folder that outlives the run: what is there is not made again.

    Args:
        model: The .onnx file.
        calibration: A folder with the pictures, all of them to be taken.
        environments: Where tools have one of their own, see `environments`.
    """

    def __init__(self, model: Path, folder: Path, calibration: Path, environments: Path) -> None:
        self._model, self._folder, self._calibration = model, folder, calibration
        self._environments, self._peak_mb = environments, 0.0
        self._family = FAMILIES.get(model.stem)
        folder.mkdir(parents=True, exist_ok=True)
        prepared = prepare(model, family=self._family)
        self.spec = prepared.spec
        self._source = folder / f"{model.stem}.onnx"
        self._source.write_bytes(prepared.model.SerializeToString(deterministic=True))

    def opened(self, row: Row) -> OpenModel | None:
        """The row's file, where it has been made."""
        if row.made == "source":
            return self._onnx(self._source)
        key, path = row.file_of, self._path(row)
        if not path.exists():
            return None
        if path.suffix == ".onnx":
            return self._onnx(path)
        if path.suffix == ".tflite":
            target = load_target("tflite")
            file, spec = target.read(path), self.spec
            inputs = target.matched(spec.inputs, file.inputs)
            outputs = target.matched(spec.outputs, file.outputs)
            return OpenModel(key, path, "tflite", spec, inputs, outputs)
        manifest = read_bundle(path).manifest
        return of_artifact(path, manifest.model, manifest.artifacts[0])

    def make(self, row: Row, result: Result) -> OpenModel:
        """The row's file, made if it has to be.

        Raises:
            RowError: It cannot be.
        """
        if opened := self.opened(row):
            return opened
        if row.file_of != row.key:
            raise RowError("there is no file")
        path = self._path(row)
        unfinished = self._folder / f"unfinished-{path.name}"
        with _scratch(self._folder / "scratch") as scratch:
            if unfinished.is_dir():
                shutil.rmtree(unfinished)
            make = {
                "convert": self._convert,
                "nncf": self._nncf,
                "ai_edge_quantizer": self._ai_edge_quantizer,
                "onnx2tf": self._onnx2tf,
                "ncnn": self._ncnn,
                "quantize_static": self._quantize_static,
            }[row.made]
            self._peak_mb = 0.0
            start, cpu = time.perf_counter(), _cpu_seconds()
            make(row, unfinished, scratch)
            result.seconds = time.perf_counter() - start
            result.cpu_seconds = _cpu_seconds() - cpu
            result.peak_mb = self._peak_mb or None
        os.replace(unfinished, path)
        result.made_at = _commit()
        made = self.opened(row)
        assert made is not None
        return made

    def _path(self, row: Row) -> Path:
        suffixes = {"nncf": ".onnx", "quantize_static": ".onnx", "ai_edge_quantizer": ".tflite"}
        suffixes["onnx2tf"] = ".tflite"
        return self._folder / f"{row.file_of}{suffixes.get(row.made, '')}"

    def _onnx(self, path: Path) -> OpenModel:
        spec = self.spec
        return OpenModel(path.stem, path, "onnxruntime", spec, spec.inputs, spec.outputs)

    def _convert(self, row: Row, output: Path, scratch: Path) -> None:
        if "tensorflow" in row.arguments and importlib.util.find_spec("tensorflow") is None:
            raise RowError("TensorFlow is not installed")
        command = [sys.executable, "-m", "mobileq", "convert", str(self._model), *row.arguments]
        command += ["--calib", str(self._calibration), "--calib-count", str(len(self._samples()))]
        command += ["--family", self._family] if self._family else []
        self._run([*command, "--no-cache", "--output", str(output)])

    def _nncf(self, row: Row, output: Path, scratch: Path) -> None:
        tensors, name = self._tensors(scratch), self.spec.inputs[0].name
        self._script(row, "nncf_quantize.py", self._source, tensors, name, output)

    def _ai_edge_quantizer(self, row: Row, output: Path, scratch: Path) -> None:
        """Of the float file with its own decoding, as people have it."""
        plain = Row("", "", "tflite", arguments=("--precision", "fp32", "--head", "decoded"))
        self._convert(plain, scratch / "float", scratch)
        (source,) = (scratch / "float/models").glob("*.tflite")
        self._peak_mb = 0.0
        tensors = self._tensors(scratch)
        self._script(row, "ai_edge_quantize.py", source, tensors, output, *row.arguments)

    def _onnx2tf(self, row: Row, output: Path, scratch: Path) -> None:
        """Its own integer file, with the same pictures."""
        samples, name = np.load(self._tensors(scratch), mmap_mode="r"), self.spec.inputs[0].name
        np.save(scratch / "nhwc.npy", samples[:, 0].transpose(0, 2, 3, 1))
        given = ("-cind", name, str(scratch / "nhwc.npy"), "[[[[0,0,0]]]]", "[[[[1,1,1]]]]")
        command = [python_of(row.tool, self._environments), "-m", "onnx2tf", "-n", "-oiqt", *given]
        made = scratch / "onnx2tf"
        self._run([*command, "-i", str(self._source), "-o", str(made)])
        files = sorted(made.glob("*_integer_quant.tflite"))
        files = [path for path in files if "full_integer" not in path.name]
        if not files:
            raise RowError("onnx2tf wrote no integer file")
        shutil.copy(files[0], output)

    def _ncnn(self, row: Row, output: Path, scratch: Path) -> None:
        """Its quantizer is two programs, which its releases for PyPI do not have."""
        programs = Path(python_of(row.tool, self._environments)).parent
        lacking = [name for name in ("ncnn2table", "ncnn2int8") if not (programs / name).exists()]
        if lacking:
            version = version_of(row.tool, self._environments)
            raise RowError(f"ncnn {version} of PyPI comes without {' and '.join(lacking)}")
        raise RowError("ncnn2int8 is there, and nobody has written how to run it")

    def _script(self, row: Row, name: str, *arguments: object) -> None:
        python = python_of(row.tool, self._environments)
        self._run([python, str(Path(__file__).with_name(name)), *map(str, arguments)])

    def _run(self, command: list[str]) -> None:
        self._peak_mb = max(self._peak_mb, run(command))

    def _quantize_static(self, row: Row, output: Path, scratch: Path) -> None:
        """ONNX Runtime's own quantizer, with nothing left out."""
        samples = self._samples()
        job = ConversionJob(
            model=self._source,
            spec=self.spec,
            recipe=QuantRecipe(precision="int8"),
            ranges={},
            keep_float=(),
            samples=lambda: (sample.feeds for sample in samples),
            sample_count=len(samples),
            output=output,
            scratch=scratch,
            progress=Silent(),
        )
        quantize_statically(job, output, "MinMax", QdqOptions(), decoding_too=True)

    def _samples(self) -> SampleSet:
        count = len(list(self._calibration.iterdir()))
        return open_calibration(self.spec, self._calibration, count, 0, Silent())

    def _tensors(self, scratch: Path) -> Path:
        path, name = scratch / "samples.npy", self.spec.inputs[0].name
        np.save(path, np.stack([sample.feeds[name] for sample in self._samples()]))
        return path


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cpu_seconds() -> float:
    """Of this process and all that have ended below it."""
    return sum(os.times()[:4])


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    return done.stdout.strip()
