"""Models of a few weights that a second converts, and what ONNX Runtime makes of them."""

from __future__ import annotations

import atexit
import functools
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, parser

from mobileq.calibration.ranges import estimate
from mobileq.calibration.statistics import collect
from mobileq.graph.shapes import infer_shapes
from mobileq.progress import Silent
from mobileq.spec import (
    CALIBRATED,
    IoDtype,
    ModelSpec,
    Precision,
    QuantRecipe,
    TensorRanges,
    TensorSpec,
)
from mobileq.targets.base import ConversionJob, Converted, Target
from mobileq.targets.reference import ReferenceRunner
from mobileq.targets.tflite.target import TfliteTarget

from .tiny_models import MODELS
from .transformer_models import TRANSFORMERS

SAMPLES = 4
_DTYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64"}


@dataclass(frozen=True)
class TinyModel:
    """An ONNX file, its spec, samples for its one input, and its outputs on the first."""

    path: Path
    spec: ModelSpec
    samples: tuple[np.ndarray, ...]
    wanted: dict[str, np.ndarray]

    @property
    def feeds(self) -> dict[str, np.ndarray]:
        return {self.spec.inputs[0].name: self.samples[0]}

    def ranges(self) -> TensorRanges:
        """Smallest and largest value of every activation over all samples."""
        name = self.spec.inputs[0].name
        feeds = ({name: sample} for sample in self.samples)
        statistics = collect(self.path.read_bytes(), None, feeds, Silent())
        return estimate(statistics, "min_max")

    def job(
        self,
        folder: Path,
        precision: Precision,
        io: IoDtype = "float32",
        *,
        calibrated: bool = True,
        keep_float: tuple[str, ...] = (),
        progress=None,
        engine="direct",
    ) -> ConversionJob:
        name = self.spec.inputs[0].name
        return ConversionJob(
            model=self.path,
            spec=self.spec,
            recipe=QuantRecipe(precision=precision, io=io, keep_float=keep_float, engine=engine),
            ranges=self.ranges() if calibrated and precision in CALIBRATED else {},
            keep_float=keep_float,
            samples=(lambda: [{name: each} for each in self.samples]) if calibrated else None,
            sample_count=len(self.samples),
            output=folder / f"{precision}-{io}{len(keep_float)}.tflite",
            scratch=folder,
            progress=progress or Silent(),
        )


@dataclass(frozen=True)
class TinyFile:
    """A conversion of a TinyModel."""

    model: TinyModel
    path: Path
    converted: Converted

    def run(self, kind: type[Target] = TfliteTarget) -> dict[str, np.ndarray]:
        """What the file, which is of this target, makes of the model's first sample."""
        opened = kept(kind).open(self.path, self.converted.inputs, self.converted.outputs)
        with closing(opened) as runner:
            return runner.run(self.model.feeds)


def convert_once(job: ConversionJob, kind: type[Target]) -> Converted:
    """By a target that is not kept."""
    with closing(kind()) as target:
        return target.convert(job)


@functools.cache
def kept(kind: type[Target] = TfliteTarget) -> Target:
    """The target that all tests share: to start its child takes longer than a conversion."""
    target = kind()
    atexit.register(target.close)
    return target


def make(name: str, folder: Path) -> TinyModel:
    """Write the model `name` of `MODELS` or `TRANSFORMERS` into `folder` and run it."""
    text, initializers = (MODELS | TRANSFORMERS)[name]
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{text}')
    for key, array in initializers.items():
        model.graph.initializer.append(numpy_helper.from_array(array, key))
    onnx.checker.check_model(model, full_check=True)
    path = folder / f"{name}.onnx"
    onnx.save(infer_shapes(model), path)  # as models come to a target
    inputs = tuple(_tensor(value) for value in model.graph.input)
    outputs = tuple(_tensor(value) for value in model.graph.output)
    spec = ModelSpec(name=name, task="unknown", family=None, inputs=inputs, outputs=outputs)
    return of_file(path, spec)


def of_file(path: Path, spec: ModelSpec) -> TinyModel:
    """A model that is there already."""
    name, samples = spec.inputs[0].name, _samples(spec.inputs[0])
    runner = ReferenceRunner(path, spec.inputs, spec.outputs)
    wanted = runner.run({name: samples[0]})
    runner.close()
    return TinyModel(path, spec, samples, wanted)


def _tensor(value: onnx.ValueInfoProto) -> TensorSpec:
    kind = value.type.tensor_type
    shape = tuple(axis.dim_value for axis in kind.shape.dim)
    layout = None
    if len(shape) == 4:
        layout = "NHWC" if shape[3] == 3 else "NCHW"
    return TensorSpec(name=value.name, shape=shape, dtype=_DTYPES[kind.elem_type], layout=layout)


def _samples(spec: TensorSpec) -> tuple[np.ndarray, ...]:
    draw = np.random.default_rng(1)
    if spec.dtype == "uint8":
        return tuple(draw.integers(0, 256, spec.shape, np.uint8) for _ in range(SAMPLES))
    return tuple(draw.random(spec.shape, np.float32) for _ in range(SAMPLES))


def sqnr_db(wanted: np.ndarray, found: np.ndarray) -> float:
    noise = float(((found - wanted) ** 2).sum())
    return 10 * np.log10(float((wanted**2).sum()) / noise) if noise else np.inf
