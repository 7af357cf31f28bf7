"""Convert to .tflite with either engine, and open such files for running."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.errors import MissingDependencyError, UnsupportedOperatorError, UsageError
from mobileq.external.child import Child
from mobileq.progress import tracked
from mobileq.spec import Engine, Precision, QuantRecipe, TensorSpec
from mobileq.targets.base import ConversionJob, Converted, Runner
from mobileq.targets.hosted import HostedRunner
from mobileq.targets.tflite import flatbuffer
from mobileq.targets.tflite.correspondence import (
    REPORT_SUFFIX,
    file_ranges,
    float_outputs,
    read_correspondence,
)
from mobileq.targets.tflite.metadata import embed_metadata
from mobileq.targets.tflite.tensors import file_tensors, match_tensors, restore_output_layouts

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PACKAGES = {
    "direct": ("onnx2tf", "ai-edge-quantizer", "ai-edge-litert"),
    "tensorflow": ("onnx2tf", "tensorflow"),
}
_CALIBRATED = ("int8", "int16x8")


class TfliteTarget:
    """See `mobileq.targets.base.Target`."""

    name = "tflite"
    suffix = ".tflite"
    precisions: tuple[Precision, ...] = (
        *("fp32", "fp16", "dynamic"),
        *("int8", "int8-full", "int16x8"),
    )
    default_precisions: tuple[Precision, ...] = ("fp32", "fp16", "dynamic")
    engines: tuple[Engine, ...] = ("direct", "tensorflow")

    def __init__(self, interpreter: str = "auto") -> None:
        self._interpreter = interpreter

    def open(
        self, path: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
    ) -> Runner:
        """A runner in a child process."""
        return HostedRunner(
            "mobileq.targets.tflite.interpreter:TfliteRunner",
            path,
            inputs,
            outputs,
            tool="The TFLite interpreter",
            threads=os.cpu_count() or 1,
            interpreter=self._interpreter,
        )

    def tool_versions(self, recipe: QuantRecipe) -> dict[str, str]:
        """See `Target.tool_versions`."""
        return {name: version(name) for name in _PACKAGES[recipe.engine] if find_spec_of(name)}

    def convert(self, job: ConversionJob) -> Converted:
        """See `Target.convert`."""
        if job.recipe.precision in _CALIBRATED and job.samples is None:
            raise UsageError(
                f"{job.recipe.precision} needs pictures to calibrate on.",
                "Add --calib FOLDER with some dozens of typical photos.",
            )
        notes = _ENGINES[job.recipe.engine](job)
        restore_output_layouts(job.output, job.spec.outputs)
        model = flatbuffer.read_model(job.output)
        found_inputs, found_outputs = file_tensors(model)
        inputs = match_tensors(job.spec.inputs, found_inputs)
        outputs = match_tensors(job.spec.outputs, found_outputs)
        described = {
            "recipe": msgspec.to_builtins(job.recipe),
            "inputs": msgspec.to_builtins(inputs),
            "outputs": msgspec.to_builtins(outputs),
        }
        embed_metadata(job.output, job.spec, described)
        return Converted(inputs, outputs, flatbuffer.op_counts(model), notes)


def find_spec_of(package: str) -> bool:
    """Whether the PyPI package is installed."""
    return find_spec(package.replace("-", "_")) is not None


def _convert_direct(job: ConversionJob) -> tuple[str, ...]:
    base = job.scratch / "direct-float32.tflite"
    if not base.exists():
        _convert_base(job, "convert_direct", base)
        _require_known_ops(job, flatbuffer.read_model(base))
        restore_output_layouts(base, job.spec.outputs)
    if job.recipe.precision == "fp32":
        job.output.write_bytes(base.read_bytes())
        return ()
    fields: dict[str, Any] = {
        "source": str(base),
        "output": str(job.output),
        "precision": job.recipe.precision,
        "io": job.recipe.io,
    }
    if job.recipe.precision in _CALIBRATED:
        fields.update(_file_plan(job, base))
    stage = f"quantizing {job.spec.name} to {job.recipe.precision}"
    with (
        job.progress.stage(f"Quantizing to {job.recipe.precision}"),
        _child(job, stage, "ai-edge-quantizer") as child,
    ):
        return tuple(child.request("quantize", fields)[0]["notes"])


def _require_known_ops(job: ConversionJob, model: Any) -> None:
    """onnx2tf 2.6.9 writes what it can't translate as a custom op, ONNX_DET, and calls it done."""
    unknown = {name.removeprefix("ONNX_") for name in flatbuffer.custom_ops(model)}
    if not unknown:
        return
    import onnx

    nodes = onnx.load(job.model, load_external_data=False).graph.node
    named = [
        f"{node.op_type} (node {node.name!r})" for node in nodes if node.op_type.upper() in unknown
    ]
    listed = ", ".join(named[:3]) or ", ".join(sorted(unknown))
    raise UnsupportedOperatorError(
        f"TFLite has no counterpart of the operator {listed}.",
        "Export the model without it, or cut the graph before it.",
    )


def _file_plan(job: ConversionJob, base: Path) -> dict[str, Any]:
    """Ranges and float ops under the float file's tensor names."""
    model = flatbuffer.read_model(base)
    names = read_correspondence(base.with_suffix(REPORT_SUFFIX), model, job.ranges)
    inputs = zip(job.spec.inputs, file_tensors(model)[0], strict=True)
    names.update({wanted.name: found.name for wanted, found in inputs})
    known = {name: (found.min, found.max) for name, found in job.ranges.items()}
    ranges = file_ranges(model, names, known)
    kept = {names[name] for name in job.keep_float if name in names}
    kept.update(flatbuffer.tail_tensors(model))
    return {"ranges": ranges, "float_tensors": sorted(float_outputs(model, kept, ranges))}


def _convert_base(job: ConversionJob, command: str, output: Path) -> None:
    fields = {
        "model": str(job.model),
        "output": str(output),
        "inputs": msgspec.to_builtins(job.spec.inputs),
    }
    with (
        job.progress.stage(f"Converting with onnx2tf ({job.recipe.engine})"),
        _child(job, f"converting {job.spec.name}", "onnx2tf") as child,
    ):
        child.request(command, fields)


def _child(job: ConversionJob, stage: str, tool: str) -> Child:
    return Child(
        "mobileq.targets.tflite.worker:TfliteWorker",
        stage=stage,
        tool=tool,
        advice="Try the other --engine.",
        temporary=job.scratch,
    )


def _convert_tensorflow(job: ConversionJob) -> tuple[str, ...]:
    if not (find_spec_of("tensorflow") and find_spec_of("tf-keras")):
        raise MissingDependencyError(
            "The engine `tensorflow` needs TensorFlow and tf-keras, which are not installed.",
            "Install it: pip install 'mobileq[tensorflow]'.",
        )
    base = job.scratch / "saved_model"
    if not base.exists():
        _convert_base(job, "convert_saved_model", base)
    fields = {
        "saved_model": str(base),
        "output": str(job.output),
        "precision": job.recipe.precision,
        "io": job.recipe.io,
    }
    if job.recipe.precision in _CALIBRATED:
        fields["samples"] = str(_write_samples(job))
    with (
        job.progress.stage(f"TFLiteConverter: {job.recipe.precision}"),
        _child(job, f"converting {job.spec.name} to {job.recipe.precision}", "TensorFlow") as child,
    ):
        child.request("saved_model_to_tflite", fields)
    return ()


def _write_samples(job: ConversionJob) -> Path:
    """The calibration samples in one .npy file, which the child reads piece by piece."""
    import numpy as np

    path = job.scratch / "samples.npy"
    if path.exists():
        return path
    spec = job.spec.inputs[0]
    order = (0, 2, 3, 1) if spec.layout == "NCHW" else tuple(range(len(spec.shape)))
    shape = tuple(spec.shape[axis] for axis in order[1:])
    tensors = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
        path, mode="w+", dtype=spec.dtype, shape=(job.sample_count, *shape)
    )
    samples: Iterable[NDArray[Any]] = job.samples() if job.samples else ()
    for index, tensor in enumerate(
        tracked(samples, job.progress, "Preparing calibration", job.sample_count)
    ):
        tensors[index] = tensor.transpose(order)[0]
    tensors.flush()
    return path


_ENGINES = {"direct": _convert_direct, "tensorflow": _convert_tensorflow}
