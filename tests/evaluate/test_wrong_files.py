"""Files that are wrong in the ways that quantized files are wrong fail, on all runtimes.

Each is a real file, converted from weights or ranges that were made wrong, and held against the
right model: a detector's raw head, and a model whose outputs mean nothing to anybody.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper, parser

from mobileq.calibration.ranges import estimate
from mobileq.calibration.samples import Picture, Sample
from mobileq.calibration.statistics import collect
from mobileq.evaluate.verify import ReferenceSample, Verification, run_reference, verify
from mobileq.graph.outline import producers
from mobileq.preparation.prepare import prepare
from mobileq.progress import Silent
from mobileq.spec import ModelSpec, QuantRecipe, TensorRange, TensorRanges
from mobileq.targets.base import ConversionJob, Target
from mobileq.targets.reference import ReferenceRunner
from mobileq.targets.registry import load_target
from mobileq.tasks.detect.raw_head import raw_head
from mobileq.vision.preprocess import feed_picture, read_image

pytestmark = pytest.mark.usefixtures("children")

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo"
NUMBERS = """<ir_version: 8, opset_import: ["" : 17]>
g (float[1,3,32,32] x) => (float[1,6,16,16] near, float[1,6,16,16] far) {
    a0 = Conv<strides = [2, 2], pads = [1, 1, 1, 1]>(x, wa)
    a = Relu(a0)
    b0 = Conv<pads = [1, 1, 1, 1]>(a, wb)
    b = Relu(b0)
    near = Conv(b, wn)
    far = Conv(b, wf)
}"""
SHAPES = {"wa": (12, 3, 3, 3), "wb": (12, 12, 3, 3), "wn": (6, 12, 1, 1), "wf": (6, 12, 1, 1)}

WEIGHTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "all zeros": np.zeros_like,
    "negated": np.negative,
    "channels exchanged": lambda values: np.roll(values, 1, axis=0),
}
"""Of the convolutions that give the outputs."""
RANGES: dict[str, Callable[[TensorRange], TensorRange]] = {
    "other zero-points": lambda found: TensorRange(min=-found.max, max=-found.min),
    "ranges of a sixteenth": lambda found: TensorRange(min=found.min / 16, max=found.max / 16),
}
CALIBRATED = [*WEIGHTS, *RANGES]
FILES = [
    *(("tflite", "int8", wrong) for wrong in CALIBRATED),
    *(("mnn", "int8", wrong) for wrong in CALIBRATED),
    *(("tflite", "dynamic", wrong) for wrong in WEIGHTS),
    *(("tflite", "int16x8", wrong) for wrong in WEIGHTS),
    *(("mnn", "w8", wrong) for wrong in WEIGHTS),
    *(("onnxruntime", "int8", wrong) for wrong in CALIBRATED),
    *(("onnxruntime", "dynamic", wrong) for wrong in WEIGHTS),
]


@dataclasses.dataclass(frozen=True)
class Subject:
    """A model, what it is calibrated on, and what ONNX Runtime makes of it."""

    model: ModelProto
    spec: ModelSpec
    ranges: TensorRanges
    reference: list[ReferenceSample]


def _subject(model: ModelProto, spec: ModelSpec, samples: list[Sample]) -> Subject:
    content = model.SerializeToString()
    statistics = collect(content, None, (sample.feeds for sample in samples), Silent())
    with closing(ReferenceRunner(content, spec.inputs, spec.outputs)) as runner:
        reference = run_reference(runner, spec, samples, Silent())
    return Subject(model, spec, estimate(statistics, "min_max"), reference)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """Outputs that mean nothing to anybody."""
    draw, model = np.random.default_rng(0), parser.parse_model(NUMBERS)
    for name, shape in SHAPES.items():
        scale = (2 / np.prod(shape[1:])) ** 0.5
        values = draw.normal(0, scale, shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    path = tmp_path_factory.mktemp("numbers") / "numbers.onnx"
    onnx.save(model, path)
    prepared = prepare(path)
    shape = prepared.spec.inputs[0].shape
    samples = [Sample(str(i), {"x": draw.random(shape, np.float32)}) for i in range(4)]
    return _subject(prepared.model, prepared.spec, samples)


@pytest.fixture(scope="module")
def boxes() -> Subject:
    """The demo detector's raw head."""
    prepared = prepare(DEMO / "demo.onnx")
    model, spec = raw_head(prepared.model, prepared.spec)
    pictures = sorted((DEMO / "calibration" / "images").glob("*.jpg"))[:8]
    fed = ((path.name, *feed_picture(spec, read_image(path))) for path in pictures)
    samples = [Sample(name, feeds, (Picture(None, where),)) for name, feeds, where in fed]
    return _subject(model, spec, samples)


@pytest.fixture(scope="module")
def targets() -> Iterator[Mapping[str, Target]]:
    """Kept: to start their children takes longer than what they do here."""
    made = {name: load_target(name) for name in dict(file[:2] for file in FILES)}
    yield made
    for target in made.values():
        target.close()


def _with_last_weights(model: ModelProto, change: Callable[[np.ndarray], np.ndarray]) -> ModelProto:
    changed = ModelProto()
    changed.CopyFrom(model)
    makers = producers(changed.graph)
    wanted = {name for each in changed.graph.output for name in makers[each.name].input[1:]}
    for tensor in changed.graph.initializer:
        if tensor.name in wanted:
            values = change(numpy_helper.to_array(tensor)).copy()
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return changed


def _verified(
    subject: Subject, target: Target, precision: Any, wrong: str | None, folder: Path
) -> Verification:
    model, ranges = subject.model, subject.ranges
    if wrong in WEIGHTS:
        model = _with_last_weights(model, WEIGHTS[wrong])
    if wrong in RANGES:
        ranges = {name: RANGES[wrong](found) for name, found in ranges.items()}
    path = folder / "model.onnx"
    onnx.save(model, path)
    samples = [each.sample.feeds for each in subject.reference]
    job = ConversionJob(
        model=path,
        spec=subject.spec,
        recipe=QuantRecipe(precision=precision),
        ranges=ranges if precision in ("int8", "int16x8") else {},
        keep_float=(),
        samples=lambda: samples,
        sample_count=len(samples),
        output=folder / f"model{target.suffix}",
        scratch=folder,
        progress=Silent(),
    )
    converted = target.convert(job)
    with closing(target.open(job.output, converted.inputs, converted.outputs)) as runner:
        return verify(
            runner,
            "reference",
            subject.reference,
            subject.spec,
            target.info.precision(precision),
            Silent(),
        )


def _assert_failed(verified: Verification) -> None:
    assert any("dB SQNR, under the" in problem for problem in verified.problems), verified


@pytest.mark.parametrize(("target", "precision", "wrong"), FILES)
def test_wrong_numbers_fail(numbers, targets, tmp_path, target, precision, wrong) -> None:
    _assert_failed(_verified(numbers, targets[target], precision, wrong, tmp_path))


@pytest.mark.parametrize("wrong", CALIBRATED)
@pytest.mark.parametrize("target", sorted({target for target, _, _ in FILES}))
def test_a_wrong_detector_fails(boxes, targets, tmp_path, target, wrong) -> None:
    _assert_failed(_verified(boxes, targets[target], "int8", wrong, tmp_path))


@pytest.mark.parametrize(("target", "precision"), sorted({(t, p) for t, p, _ in FILES}))
@pytest.mark.parametrize("kind", ["numbers", "boxes"])
def test_right_files_do_not(request, targets, tmp_path, kind, target, precision) -> None:
    subject = request.getfixturevalue(kind)
    assert _verified(subject, targets[target], precision, None, tmp_path).problems == ()
