"""A file in pairs, put back in as a model, gives the .tflite that the float model gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from mobileq.calibration.ranges import estimate
from mobileq.calibration.statistics import collect
from mobileq.preparation.prepare import prepare
from mobileq.progress import Silent
from mobileq.quantize.given_plan import given_plan
from mobileq.spec import TensorRange, TensorRanges
from mobileq.targets.qdq.writing import quantized_model
from mobileq.targets.tflite import contents, flatbuffer
from mobileq.targets.tflite.info import INFO
from mobileq.targets.tflite.target import TfliteTarget

from ..tiny import TinyModel, kept, make, of_file


def ranges_of(model: TinyModel) -> TensorRanges:
    """By squared error, with those that TFLite insists on, as a plan has them."""
    name = model.spec.inputs[0].name
    feeds = ({name: sample} for sample in model.samples)
    found = estimate(collect(model.path.read_bytes(), None, feeds, Silent()), "mse")
    for node in onnx.load(model.path).graph.node:
        if node.op_type in INFO.fixed_ranges:
            low, high = INFO.fixed_ranges[node.op_type]
            found[node.output[0]] = TensorRange(min=low, max=high)
    return found


def both_ways(model: TinyModel, folder: Path) -> tuple[Path, Path]:
    """The .tflite of the float model, and of the file in pairs."""
    ranges = ranges_of(model)
    scratch = {name: folder / name for name in ("direct", "again")}
    for each in scratch.values():
        each.mkdir()
    job = replace(model.job(scratch["direct"], "int8", calibrated=False), ranges=ranges)
    job = replace(job, samples=lambda: [])
    kept().convert(job)
    pairs = folder / f"{model.spec.name}.onnx"
    onnx.save(quantized_model(onnx.load(model.path), ranges, ()), pairs)
    prepared = prepare(pairs)
    assert prepared.given is not None
    plan = given_plan(prepared.model, prepared.given, ())
    onnx.save(prepared.model, scratch["again"] / "model.onnx")
    again = replace(
        job,
        model=scratch["again"] / "model.onnx",
        ranges=plan.ranges,
        keep_float=plan.float_tensors,
        given=prepared.given,
        output=scratch["again"] / job.output.name,
        scratch=scratch["again"],
    )
    kept().convert(again)
    return job.output, again.output


def outputs_of(path: Path, model: TinyModel) -> dict[str, np.ndarray]:
    target, file = TfliteTarget(), TfliteTarget().read(path)
    inputs = target.matched(model.spec.inputs, file.inputs)
    runner = target.open(path, inputs, target.matched(model.spec.outputs, file.outputs))
    try:
        return runner.run(model.feeds)
    finally:
        runner.close()


def codes_of(path: Path) -> list[tuple[str, str, bytes, object]]:
    """(op, type, codes, scale and zero-point) of what each op takes and gives, in order.

    Without the scale of a bias, which follows from two others and which no kernel reads: it is that
    of doubles the first time.
    """
    model = flatbuffer.read_model(path)
    tensors = model.subgraphs[0].tensors
    found = []
    for op in model.subgraphs[0].operators:
        for index in (*op.inputs, *op.outputs):
            tensor = tensors[int(index)]
            kind, data = contents.dtype_name(tensor), model.buffers[tensor.buffer].data
            quant = None if kind == "int32" else contents.tensor_quant(tensor)
            held = b"" if data is None else bytes(data)
            found.append((contents.op_name(model, op), kind, held, quant))
    return found


@pytest.mark.parametrize("name", ["pooled", "depthwise", "hard_swish", "cube_in", "attention"])
def test_small_models(tmp_path: Path, name: str):
    model = make(name, tmp_path)
    first, second = both_ways(model, tmp_path)
    direct, again = outputs_of(first, model), outputs_of(second, model)
    assert all(np.array_equal(direct[key], again[key]) for key in model.wanted)


@pytest.mark.real_model
def test_detector_has_the_same_ops_codes_and_scales(data_folder: Path, tmp_path: Path):
    prepared = prepare(data_folder / "models" / "yolov5n.onnx")
    onnx.save(prepared.model, tmp_path / "float.onnx")
    model = of_file(tmp_path / "float.onnx", prepared.spec)
    first, second = both_ways(model, tmp_path)
    assert codes_of(first) == codes_of(second)
    direct, again = outputs_of(first, model), outputs_of(second, model)
    assert np.array_equal(direct["output0"], again["output0"])
