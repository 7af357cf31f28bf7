"""Convert to .onnx as ONNX Runtime runs it best, and open such files for running."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from mobileq.errors import UnsupportedOperatorError, VerificationError
from mobileq.external.framing import Fields
from mobileq.graph.outline import tensor_specs
from mobileq.spec import CALIBRATED, QuantRecipe, TensorSpec
from mobileq.targets.base import ConversionJob, Converted, Runner, instead_of_all_integer
from mobileq.targets.hosted import HostedRunner, Hosting, KeptChild
from mobileq.targets.model_file import ModelFile
from mobileq.targets.onnxruntime.info import FILE, INFO, METHOD
from mobileq.targets.onnxruntime.metadata import with_metadata
from mobileq.targets.onnxruntime.own_quantizer import OwnMethod, quantize_statically
from mobileq.targets.onnxruntime.padding import keep_zeros
from mobileq.targets.onnxruntime.reading import quantization_of, read_file, typed_op_counts
from mobileq.targets.onnxruntime.static import (
    chosen,
    is_operator_format,
    qdq_options,
    require_ranges,
    saturation,
)

if TYPE_CHECKING:
    from onnx import ModelProto

_PASSES = {
    "fp16": "halve",
    "dynamic": "quantize_dynamic",
    "int8": "quantize",
    "int8-full": "quantize",
}
"""By precision: what `OrtWorker` makes of the float32 model."""
_HOSTING = Hosting(
    "mobileq.targets.onnxruntime.interpreter:OrtRunner", "ONNX Runtime", "onnxruntime"
)


class OrtTarget:
    """See `mobileq.targets.base.Target`."""

    info = INFO
    name, suffix = INFO.name, INFO.suffix

    def __init__(self) -> None:
        self._child = KeptChild(
            "mobileq.targets.onnxruntime.worker:OrtWorker",
            "Try another precision, or report the model.",
        )

    def start(self) -> None:
        """See `Target.start`."""
        self._child.start("ONNX Runtime")

    def expect(self, files: int) -> None:
        """See `Target.expect`."""
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
        """A runner in a child process. There is one interpreter; `interpreter` is for others."""
        return HostedRunner(
            _HOSTING,
            path,
            inputs,
            outputs,
            disturbed=disturbed,
            threads=threads,
        )

    def open_layers(
        self,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        wanted: Iterable[TensorSpec],
        model: ModelProto,
    ) -> Runner:
        """See `LayerTarget.open_layers`."""
        import onnx

        file = onnx.load(path)
        quants = quantization_of(file)
        known = {name for node in file.graph.node for name in node.output}
        outputs = tuple(
            msgspec.structs.replace(spec, quant=quants.get(spec.name))
            for spec in wanted
            if spec.name in known
        )
        return HostedRunner(
            _HOSTING,
            path,
            inputs,
            outputs,
            inside=True,
        )

    def read(self, path: Path) -> ModelFile:
        """See `Target.read`."""
        return read_file(path)

    def matched(
        self, model: tuple[TensorSpec, ...], file: tuple[TensorSpec, ...]
    ) -> tuple[TensorSpec, ...]:
        """See `Target.matched`. Files keep the model's names and axes."""
        by_name: Mapping[str, TensorSpec] = {tensor.name: tensor for tensor in file}
        for wanted in model:
            found = by_name.get(wanted.name)
            if found is None or found.shape != wanted.shape:
                what = "is missing" if found is None else f"has shape {list(found.shape)}"
                raise VerificationError(
                    f"{wanted.name!r} {what} in the file where the model has {list(wanted.shape)}.",
                    "Convert the model again.",
                )
        return tuple(
            msgspec.structs.replace(
                wanted,
                artifact_name=wanted.name,
                dtype=by_name[wanted.name].dtype,
                quant=by_name[wanted.name].quant,
            )
            for wanted in model
        )

    def tool_versions(self, recipe: QuantRecipe) -> dict[str, str]:
        """See `Target.tool_versions`."""
        return {name: version(name) for name in ("onnx", "onnxruntime")}

    def convert(self, job: ConversionJob) -> Converted:
        """See `Target.convert`."""
        import onnx

        precision, source = job.recipe.precision, job.model
        if precision in CALIBRATED:
            require_ranges(job)
        if precision in _PASSES:
            source = job.scratch / f"onnxruntime-{precision}.onnx"
            with job.progress.stage(f"Converting to {precision}"):
                self._make(job, source)
        model = onnx.load(source)
        keep_zeros(model)
        content = with_metadata(model, job.spec, job.recipe)
        companions: tuple[str, ...] = ()
        if chosen(job.recipe, FILE) == "ort":
            companions = self._reduce(job, content)
        else:
            job.output.write_bytes(content)
        inputs, outputs = tensor_specs(model)
        return Converted(
            inputs=self.matched(job.spec.inputs, inputs),
            outputs=self.matched(job.spec.outputs, outputs),
            ops=typed_op_counts(model),
            companions=companions,
        )

    def _reduce(self, job: ConversionJob, content: bytes) -> tuple[str, ...]:
        """Write the file in ONNX Runtime's own format; gives the name of its operators' list."""
        source = job.scratch / "onnxruntime-whole.onnx"
        source.write_bytes(content)
        config = job.output.with_suffix(".required_operators.config")
        fields = {"source": str(source), "output": str(job.output), "config": str(config)}
        self._request(job, "reduce", fields)
        return (config.name,)

    def _make(self, job: ConversionJob, output: Path) -> None:
        recipe, fields = job.recipe, dict[str, Any]()
        told = saturation(recipe) if recipe.precision in CALIBRATED else None
        if told is not None:
            job.progress.notice(told)
        if self.info.calibrated_by(recipe) is not None:
            method = cast(OwnMethod, chosen(recipe, METHOD))
            options, operators = qdq_options(recipe), is_operator_format(recipe)
            quantize_statically(job, output, method, options, operators=operators)
            return
        if recipe.precision in CALIBRATED:
            fields = {
                "ranges": msgspec.to_builtins(job.ranges),
                "keep_float": list(job.keep_float),
                "options": msgspec.to_builtins(qdq_options(recipe)),
                "given": msgspec.to_builtins(job.given),
                "whole": recipe.precision == "int8-full",
                "operators": is_operator_format(recipe),
            }
        found = self._request(
            job,
            _PASSES[recipe.precision],
            {"source": str(job.model), "output": str(output), **fields},
        )
        if reason := found.get("float_reason"):
            raise UnsupportedOperatorError(
                f"{job.spec.name} can't be all integer: {reason}.",
                instead_of_all_integer(job.spec),
            )

    def _request(self, job: ConversionJob, command: str, fields: Fields) -> Fields:
        """In the child that is kept."""
        fields = {**fields, "spec": msgspec.to_builtins(job.spec)}
        with self._child.asked(f"converting {job.spec.name}", "ONNX Runtime") as child:
            return child.request(command, fields)[0]
