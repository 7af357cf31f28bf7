"""Convert to .tflite with either engine, and open such files for running."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.errors import (
    MissingDependencyError,
    UnsupportedOperatorError,
    UsageError,
)
from mobileq.external.child import Child
from mobileq.progress import tracked
from mobileq.spec import CALIBRATED, Precision, QuantRecipe, TensorSpec, embedded_recipe
from mobileq.targets.base import ConversionJob, Converted, Runner, Tensors, instead_of_all_integer
from mobileq.targets.hosted import HostedRunner, Hosting, KeptChild
from mobileq.targets.model_file import ModelFile
from mobileq.targets.tflite import counting, flatbuffer, interface
from mobileq.targets.tflite.all_integer import float_reason
from mobileq.targets.tflite.copies import restore_copies
from mobileq.targets.tflite.correspondence import REPORT_SUFFIX, Range
from mobileq.targets.tflite.file_plan import file_plan, integer_base
from mobileq.targets.tflite.info import INFO
from mobileq.targets.tflite.inner_tensors import inner_tensors
from mobileq.targets.tflite.io_types import require_io
from mobileq.targets.tflite.last_quantized import LastQuantized
from mobileq.targets.tflite.layout import Order
from mobileq.targets.tflite.lost_tensors import restore_lost
from mobileq.targets.tflite.metadata import embed_metadata
from mobileq.targets.tflite.reading import read_file
from mobileq.targets.tflite.rewrites import registry
from mobileq.targets.tflite.rewrites.passes import run_passes
from mobileq.targets.tflite.standard_metadata import NAME, standard_metadata
from mobileq.targets.tflite.tensors import (
    EdgeOrders,
    edge_orders,
    file_tensors,
    match_tensors,
    restore_layouts,
    restore_shapes,
)

if TYPE_CHECKING:
    from onnx import ModelProto

_PACKAGES = {
    "direct": ("onnx2tf", "ai-edge-quantizer", "ai-edge-litert"),
    "tensorflow": ("onnx2tf", "tensorflow"),
}
_version = functools.cache(version)
"""To read it takes 5 ms, and every file asks several times."""
_WORKER, _ADVICE = "mobileq.targets.tflite.worker:TfliteWorker", "Try the other --engine."
_SMALL = 2**24
"""Bytes of a model whose converter may stay: to start another takes longer than to convert it."""
_SEED = 20240229
"""Of the input on which a file is compared whose shapes don't tell the order of its axes."""
_HOSTING = Hosting(
    "mobileq.targets.tflite.interpreter:TfliteRunner",
    "The TFLite interpreter",
    "ai_edge_litert.interpreter",
)


class TfliteTarget:
    """See `mobileq.targets.base.Target`."""

    info = INFO
    name, suffix = INFO.name, INFO.suffix

    def __init__(self) -> None:
        self._child, self._last = KeptChild(_WORKER, _ADVICE), LastQuantized()

    def start(self) -> None:
        """See `Target.start`."""
        self._child.start("onnx2tf")

    def expect(self, files: int) -> None:
        """See `Target.expect`."""
        self._child.hint("expect_quantizing")
        _HOSTING.expect(files)

    def close(self) -> None:
        """See `Target.close`."""
        self._child.close()

    def open(
        self,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        interpreter: str = "auto",
        *,
        disturbed: bool = False,
        threads: int = 0,
    ) -> Runner:
        """A runner in a child process. See `Target.open`."""
        return _hosted(path, inputs, outputs, threads, interpreter=interpreter, disturbed=disturbed)

    def open_layers(
        self,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        wanted: Iterable[TensorSpec],
        model: ModelProto,
    ) -> Runner:
        """See `LayerTarget.open_layers`."""
        outputs = inner_tensors(flatbuffer.read_model(path), wanted, model)
        return _hosted(path, inputs, outputs, inside=True)

    def read(self, path: Path) -> ModelFile:
        """See `Target.read`."""
        return read_file(path)

    def matched(
        self, model: tuple[TensorSpec, ...], file: tuple[TensorSpec, ...]
    ) -> tuple[TensorSpec, ...]:
        """See `Target.matched`."""
        return match_tensors(model, file)

    def tool_versions(self, recipe: QuantRecipe) -> dict[str, str]:
        """See `Target.tool_versions`."""
        return {name: _version(name) for name in _PACKAGES[recipe.engine] if find_spec_of(name)}

    def convert(self, job: ConversionJob) -> Converted:
        """See `Target.convert`."""
        known = job.given is not None and job.recipe.engine == "direct"
        if job.recipe.precision in CALIBRATED and job.samples is None and not known:
            raise UsageError(
                f"{job.recipe.precision} needs pictures to calibrate on.",
                "Add --calib FOLDER with some dozens of typical photos.",
            )
        if not job.spec.inputs:
            raise UnsupportedOperatorError(
                f"{job.spec.name} has no inputs, without which TFLite loads no file.",
                "Use another target, or store what it gives in the program.",
            )
        if job.recipe.engine == "tensorflow":
            notes = _convert_tensorflow(job)
        else:
            notes = self._convert_direct(job)
        model = flatbuffer.read_model(job.output)
        if run_passes(registry.WRITTEN, model, job.recipe.precision):
            flatbuffer.write_model(model, job.output)
        found_inputs, found_outputs = file_tensors(model)
        inputs = match_tensors(job.spec.inputs, found_inputs)
        outputs = match_tensors(job.spec.outputs, found_outputs)
        if job.recipe.precision in CALIBRATED and job.recipe.io != "float32":
            whole = job.recipe.precision == "int8-full"
            require_io(model, job.recipe.io, all_integer=whole)
        described = {
            "recipe": embedded_recipe(job.recipe),
            "inputs": msgspec.to_builtins(inputs),
            "outputs": msgspec.to_builtins(outputs),
        }
        standard = standard_metadata(job.spec, inputs, outputs)
        if standard is not None:
            flatbuffer.add_metadata(job.output, NAME, standard)
        embed_metadata(job.output, job.spec, described)
        return Converted(inputs, outputs, counting.typed_op_counts(model), notes)

    def _convert_direct(self, job: ConversionJob) -> tuple[str, ...]:
        base = job.scratch / "direct" / "float32.tflite"
        if not base.exists():
            base.parent.mkdir(exist_ok=True)
            job.reuse(
                "direct",
                base.parent,
                lambda folder: _make_base(job, folder / base.name, self._child),
            )
        if job.recipe.precision == "fp32":
            job.output.write_bytes(base.read_bytes())
            return ()
        if job.recipe.precision in CALIBRATED:
            base = integer_base(base, job.recipe.precision)
        fields: dict[str, Any] = {
            "source": str(base),
            "precision": job.recipe.precision,
            "io": job.recipe.io,
        }
        if job.recipe.precision in CALIBRATED:
            fields.update(file_plan(job, base))

        def quantize() -> tuple[str, ...]:
            asked = {**fields, "output": str(job.output)}
            with self._child.asked(f"quantizing {job.spec.name}", "ai-edge-quantizer") as child:
                return tuple(child.request("quantize", asked)[0]["notes"])

        with job.progress.stage(f"Quantizing to {job.recipe.precision}"):
            notes = self._last.write(fields, job.output, quantize)
        if job.recipe.precision == "int8-full":
            _require_integers(job, base, fields["ranges"])
        return notes


def _hosted(
    path: Path,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    threads: int = 0,
    **options: Any,
) -> HostedRunner:
    threads = threads or os.cpu_count() or 1
    return HostedRunner(_HOSTING, path, inputs, outputs, threads=threads, **options)


def _make_base(job: ConversionJob, base: Path, child: KeptChild) -> None:
    _convert_base(job, "convert_direct", base, child.asked(_converting(job), "onnx2tf"))
    if job.model.stat().st_size > _SMALL:
        child.end()  # what it converted holds several times the model's memory
    model = flatbuffer.read_model(base)
    counting.require_known_ops(model, job.spec.name)
    restored = restore_lost(model, base.with_suffix(REPORT_SUFFIX))
    if run_passes(registry.CONVERTED, model, "fp32") or restored:
        flatbuffer.write_model(model, base)
    restore_copies(base, job.model)
    restore_shapes(base, job.spec.inputs, job.spec.outputs)
    telling = job.spec.outputs if job.spec.is_raw else ()
    restore_layouts(base, job.spec.inputs, _edge_orders(job, base), telling)


def _require_integers(job: ConversionJob, base: Path, ranges: Mapping[str, Range]) -> None:
    """Nothing that an integer-only accelerator would refuse."""
    model = flatbuffer.read_model(job.output)
    floats = counting.float_ops(model)
    if floats:
        reason = float_reason(model, base, job.model, ranges) or ", ".join(floats[:3])
        raise UnsupportedOperatorError(
            f"{job.spec.name} can't be all integer: {reason}.",
            instead_of_all_integer(job.spec),
        )


def find_spec_of(package: str) -> bool:
    """Whether the PyPI package is installed."""
    return find_spec(package.replace("-", "_")) is not None


def _edge_orders(job: ConversionJob, float_file: Path) -> EdgeOrders:
    """What the converter did to the axes; `float_file` is as it left it."""

    def run_both(orders: tuple[Order, ...]) -> tuple[Tensors, Tensors]:
        import onnx

        from mobileq.graph.trial_run import random_inputs, run

        model = onnx.load(job.model)
        feeds = random_inputs(model, _SEED)
        inputs, outputs = file_tensors(flatbuffer.read_model(float_file))
        named = zip(job.spec.outputs, outputs, strict=True)
        as_they_are = tuple(msgspec.structs.replace(found, name=spec.name) for spec, found in named)
        fed = match_tensors(job.spec.inputs, inputs, orders)
        runner = TfliteTarget().open(float_file, fed, as_they_are)
        try:
            return run(model, feeds), runner.run(feeds)
        finally:
            runner.close()

    return edge_orders(float_file, job.spec.inputs, job.spec.outputs, run_both)


def _convert_base(
    job: ConversionJob, command: str, output: Path, child: AbstractContextManager[Child]
) -> None:
    fields = {
        "model": str(job.model),
        "output": str(output),
        "inputs": msgspec.to_builtins(job.spec.inputs),
    }
    with job.progress.stage(f"Converting with onnx2tf ({job.recipe.engine})"), child as asked:
        asked.request(command, fields)


def _converting(job: ConversionJob) -> str:
    return f"converting {job.spec.name}"


def _alone(stage: str, tool: str) -> Child:
    """TensorFlow 2.21 gives other bytes where its process has converted before."""
    return Child(_WORKER, stage=stage, tool=tool, advice=_ADVICE)


def _convert_tensorflow(job: ConversionJob) -> tuple[str, ...]:
    if not (find_spec_of("tensorflow") and find_spec_of("tf-keras")):
        raise MissingDependencyError(
            "The engine `tensorflow` needs TensorFlow and tf-keras, which are not installed.",
            "Install it: pip install 'mobileq[tensorflow]'.",
        )
    base, float_file = job.scratch / "saved_model", job.scratch / "tensorflow-float32.tflite"
    if not float_file.exists():
        _make_tensorflow_base(job, base, float_file)
    orders = _edge_orders(job, float_file)
    if job.recipe.precision == "fp32":
        job.output.write_bytes(float_file.read_bytes())
    else:
        fields: dict[str, str] = {"io": job.recipe.io}
        if job.recipe.precision in CALIBRATED:
            fields["samples"] = str(_write_samples(job, orders.inputs[0]))
        work = f"{_converting(job)} to {job.recipe.precision}"
        child = _alone(work, "TensorFlow")
        _convert_saved_model(job, job.output, job.recipe.precision, fields, child)
    restore_layouts(job.output, job.spec.inputs, orders)
    return ()


def _make_tensorflow_base(job: ConversionJob, base: Path, float_file: Path) -> None:
    """The SavedModel and the float32 file: always one after the other, so both may come of one
    process. To import TensorFlow takes seconds. A large model's memory is let go between.
    """
    work = f"{_converting(job)} to fp32", "TensorFlow"
    with _alone(_converting(job), "onnx2tf") as child:
        _convert_base(job, "convert_saved_model", base, nullcontext(child))
        if job.model.stat().st_size <= _SMALL:
            child.turn_to(*work)
            return _convert_saved_model(job, float_file, "fp32", {}, nullcontext(child))
    return _convert_saved_model(job, float_file, "fp32", {}, _alone(*work))


def _convert_saved_model(
    job: ConversionJob,
    output: Path,
    precision: Precision,
    fields: dict[str, str],
    child: AbstractContextManager[Child],
) -> None:
    with job.progress.stage(f"TFLiteConverter: {precision}"), child as asked:
        paths = {"saved_model": str(job.scratch / "saved_model"), "output": str(output)}
        asked.request("saved_model_to_tflite", {**paths, "precision": precision, **fields})
    model = flatbuffer.read_model(output)
    names = tuple(spec.name for spec in job.spec.outputs)
    ordered = interface.order_outputs(model, names)
    if run_passes(registry.FROM_TENSORFLOW, model, precision) or ordered:
        flatbuffer.write_model(model, output)


def _write_samples(job: ConversionJob, order: Order) -> Path:
    """The calibration samples in one .npy file, which the child reads piece by piece.

    Args:
        order: Of the axes of the SavedModel's input.
    """
    import numpy as np

    if len(job.spec.inputs) != 1:
        raise UsageError(
            f"TensorFlow is given samples for one input; {job.spec.name} has "
            f"{len(job.spec.inputs)}.",
            "Use --engine direct for the integer precisions.",
        )
    path = job.scratch / "samples.npy"
    if path.exists():
        return path
    spec = job.spec.inputs[0]
    shape = tuple(spec.shape[axis] for axis in order)
    tensors = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
        path, mode="w+", dtype=spec.dtype, shape=(job.sample_count, *shape)
    )
    samples: Iterable[Tensors] = job.samples() if job.samples else ()
    for index, feeds in enumerate(
        tracked(samples, job.progress, "Preparing calibration", job.sample_count)
    ):
        tensors[index] = feeds[spec.name].transpose(order)
    tensors.flush()
    return path
