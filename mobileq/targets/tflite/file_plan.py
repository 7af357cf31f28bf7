"""What an integer file is made of: its float file, ranges and float ops under that file's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mobileq.errors import UsageError, VerificationError
from mobileq.spec import Precision, readings
from mobileq.targets.base import ConversionJob
from mobileq.targets.tflite import flatbuffer, weighty
from mobileq.targets.tflite.correspondence import (
    REPORT_SUFFIX,
    file_ranges,
    float_outputs,
    read_correspondence,
)
from mobileq.targets.tflite.io_types import pixel_casts, require_ranges
from mobileq.targets.tflite.normalizations import find_normalizations, part_ranges, wide_tensors
from mobileq.targets.tflite.rewrites.passes import run_passes
from mobileq.targets.tflite.rewrites.registry import BEFORE_RANGES
from mobileq.targets.tflite.tensors import file_tensors
from mobileq.targets.tflite.weights import WeightScales, bias_scales, weight_scales


def integer_base(base: Path, precision: Precision) -> Path:
    """The float file with ops that have integer kernels in place of such as have none."""
    made = base.with_name(f"for-{precision}.tflite")
    if not made.exists():
        model = flatbuffer.read_model(base)
        if not run_passes(BEFORE_RANGES, model, precision):
            return base
        flatbuffer.write_model(model, made)
        report = base.with_suffix(REPORT_SUFFIX)
        made.with_suffix(REPORT_SUFFIX).write_bytes(report.read_bytes())
    return made


def file_plan(job: ConversionJob, base: Path) -> dict[str, Any]:
    """Ranges and float ops under the float file's tensor names."""
    import onnx

    model = flatbuffer.read_model(base)
    nodes = onnx.load(job.model, load_external_data=False).graph.node
    takers = {node.name: node.input[0] for node in nodes if node.name and node.input}
    names = read_correspondence(base.with_suffix(REPORT_SUFFIX), model, job.ranges, takers)
    inputs = zip(job.spec.inputs, file_tensors(model)[0], strict=True)
    names.update({wanted.name: found.name for wanted, found in inputs})
    known = {name: (found.min, found.max) for name, found in job.ranges.items()}
    ranges = file_ranges(model, names, known)
    normalizations = find_normalizations(model)
    wide = wide_tensors(model, normalizations)
    if job.recipe.precision != "int8":
        ranges |= part_ranges(model, normalizations, ranges)
    if job.recipe.io != "float32":
        ranges.update(pixel_casts(model))
        _require_no_subgraphs(job, model)
        if job.recipe.precision != "int8-full":  # which says what is in its way
            _require_integer_ends(job)
            require_ranges(model, ranges)
    kept = {names[name] for name in job.keep_float if name in names}
    if job.given is None and job.recipe.precision != "int8-full":
        kept.update(weighty.tail_tensors(model))
    if job.recipe.precision == "int8":
        kept.update(wide)
    bits = 16 if job.recipe.precision == "int16x8" else 8
    return {
        "ranges": ranges,
        "float_tensors": sorted(float_outputs(model, kept, ranges)),
        "wide_tensors": wide if job.recipe.precision == "int8-full" else (),
        "weight_scales": _weight_scales(job, model) | bias_scales(model, ranges, bits),
        "own_scales": job.given is not None,
    }


def _require_no_subgraphs(job: ConversionJob, model: Any) -> None:
    if len(model.subgraphs) > 1:
        raise VerificationError(
            f"{job.spec.name} has a loop or a branch, whose inside stays float: its ends can't be "
            f"{job.recipe.io}.",
            "Use int8 without --io.",
        )


def _require_integer_ends(job: ConversionJob) -> None:
    for reading in readings(job.spec).values():
        if reading.unfit_for_8_bits and job.given is None:
            raise UsageError(
                f"--io {job.recipe.io} can't be obeyed: {job.spec.name} "
                f"{reading.unfit_for_8_bits}.",
                "Use --head raw, or leave out --io.",
            )


def _weight_scales(job: ConversionJob, model: Any) -> dict[str, WeightScales]:
    if job.given is None:
        return {}
    import onnx

    return weight_scales(onnx.load(job.model), job.given.constants, model)
