"""Convert to .mnn, and open such files for running."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.errors import ToolError, UsageError, VerificationError
from mobileq.external.child import Child
from mobileq.external.framing import Fields
from mobileq.graph.outline import DYNAMIC
from mobileq.spec import QuantRecipe, TensorSpec
from mobileq.targets.base import ConversionJob, Converted, Runner
from mobileq.targets.hosted import HostedRunner, Hosting, KeptChild
from mobileq.targets.mnn.contents import contents
from mobileq.targets.mnn.culprit import refuse_known, unsupported
from mobileq.targets.mnn.flatbuffer import put_vectors
from mobileq.targets.mnn.graph import MnnGraph
from mobileq.targets.mnn.info import INFO, METHOD
from mobileq.targets.mnn.int8 import quantize_convolutions
from mobileq.targets.mnn.metadata import forget_uuid, metadata_text
from mobileq.targets.mnn.outline import MnnOutline, outline_of, read_outline
from mobileq.targets.mnn.own_quantizer import (
    BLOCKED_INPUT,
    companions,
    quantize_by_mnn,
    with_read_input,
)
from mobileq.targets.mnn.reading import read_file
from mobileq.targets.mnn.rewrites import rewritten_for_mnn
from mobileq.targets.mnn.weights import store_asymmetric
from mobileq.targets.model_file import ModelFile

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto

_WORKER = "mobileq.targets.mnn.worker:MnnWorker"
_ADVICE = "Try another precision, or report the model."
_DIRECT = {"fp32": (), "fp16": ("--fp16",)}
"""Precisions that MNN's converter writes itself, and the options for it."""
_FUSED = ("Relu", "Clip")
"""Activations that MNN makes part of the convolution before them."""
_KEEPING = frozenset({"input-scaling"})
"""Repairs that do not reckon with how weights are rounded."""
_SMALL = 2**16
"""Numbers in a constant; MNN leaves those with fewer by far beside its files."""
_HOSTING = Hosting("mobileq.targets.mnn.interpreter:MnnRunner", "MNN", "MNN")


class MnnTarget:
    """See `mobileq.targets.base.Target`."""

    info = INFO
    name, suffix = INFO.name, INFO.suffix

    def __init__(self) -> None:
        self._child = KeptChild(_WORKER, _ADVICE)

    def start(self) -> None:
        """See `Target.start`."""
        self._child.start("MNN")

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
            threads=threads or os.cpu_count() or 1,
        )

    def open_layers(
        self,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        wanted: Iterable[TensorSpec],
        model: ModelProto,
    ) -> Runner:
        """See `LayerTarget.open_layers`."""
        outline = read_outline(path)
        known = set(outline.tensors)
        outputs = tuple(
            msgspec.structs.replace(spec, quant=outline.quant(spec.name))
            for spec in wanted
            if spec.name in known
        )
        return HostedRunner(
            _HOSTING,
            path,
            inputs,
            outputs,
            threads=os.cpu_count() or 1,
            inside=True,
        )

    def read(self, path: Path) -> ModelFile:
        """See `Target.read`."""
        return read_file(path)

    def matched(
        self, model: tuple[TensorSpec, ...], file: tuple[TensorSpec, ...]
    ) -> tuple[TensorSpec, ...]:
        """See `Target.matched`. MNN keeps names and axes."""
        return model

    def tool_versions(self, recipe: QuantRecipe) -> dict[str, str]:
        """See `Target.tool_versions`."""
        return {"mnn": version("mnn")}

    def convert(self, job: ConversionJob) -> Converted:
        """See `Target.convert`."""
        import onnx

        precision = job.recipe.precision
        own = self.info.calibrated_by(job.recipe) is not None
        if precision == "int8" and not own and not job.ranges:
            raise UsageError(
                "int8 needs pictures to calibrate on.",
                "Add --calib FOLDER with some dozens of typical photos.",
            )
        job = _rewritten(job)
        refuse_known(onnx.load(job.model))
        with job.progress.stage(f"Converting with MNN to {precision}"):
            if own:
                # In a child of its own: the quantizer changes the folder, and damages its memory.
                advice = "Use another --mnn-method; mobileq is the default."
                with Child(_WORKER, stage=_stage(job), tool="MNN", advice=advice) as child:
                    notes, found = quantize_by_mnn(child, job, _blocked(child, job))
            else:
                notes, found = self._convert(job)
        forget_uuid(job.output)
        outline = outline_of(found)
        return Converted(
            inputs=_matched(job.spec.inputs, outline.inputs, job.output),
            outputs=_matched(job.spec.outputs, outline.outputs, job.output),
            ops=_counted(outline),
            notes=notes,
            companions=companions(job.output.parent) if own else (),
        )

    def _convert(self, job: ConversionJob) -> tuple[tuple[str, ...], Fields]:
        """In the child that is kept: to start one takes as long as most of its work."""
        import onnx

        try:
            with self._child.asked(_stage(job), "MNN") as child:
                if job.recipe.precision in _DIRECT:
                    _from_onnx(child, job, job.output, *_DIRECT[job.recipe.precision])
                    _run_once(child, job.model, job.output)
                    return (), child.request("outline", {"path": str(job.output)})[0]
                return _through_json(child, job)
        except ToolError as error:
            found = unsupported(onnx.load(job.model), error, lambda model: _try(job, model))
            if found is None:
                raise
            raise found from error


def _rewritten(job: ConversionJob) -> ConversionJob:
    """Of a model in which MNN's own rules match nothing, the job itself: same model, same bytes."""
    import onnx

    model = onnx.load(job.model)
    rewritten = rewritten_for_mnn(model)
    if rewritten is model:
        return job
    path = job.scratch / "mnn-rewritten.onnx"
    onnx.save(rewritten, path)
    return dataclasses.replace(job, model=path)


def _try(job: ConversionJob, model: ModelProto) -> None:
    """Convert a part of the model, and run it."""
    import onnx

    part = job.scratch / "mnn-part.onnx"
    onnx.save(model, part)
    part_job = dataclasses.replace(job, model=part)
    with Child(_WORKER, stage=_stage(job), tool="MNN", advice=_ADVICE) as child:
        _from_onnx(child, part_job, part.with_suffix(".mnn"))
        _run_once(child, part, part.with_suffix(".mnn"))


def _run_once(child: Child, model: Path, file: Path) -> None:
    """On zeros, but where the model can't take them."""
    import onnx

    from mobileq.graph.input_domains import input_domains
    from mobileq.graph.trial_run import random_inputs

    read = onnx.load(model, load_external_data=False)
    domains = input_domains(read)
    given = random_inputs(read, 0) if domains else {}
    arrays = {name: each for name, each in given.items() if name in domains}
    child.request("trial", {"path": str(file)}, arrays)


def _stage(job: ConversionJob) -> str:
    return f"converting {job.spec.name}"


def _from_onnx(child: Child, job: ConversionJob, output: Path, *options: str) -> None:
    fields = {
        "framework": "ONNX",
        "source": str(job.model),
        "output": str(output),
        "options": ["--bizCode", metadata_text(job.spec, job.recipe), *options],
    }
    child.request("convert", fields)


def _blocked(child: Child, job: ConversionJob) -> Path:
    """The float model as the quantizer must have it."""
    import onnx

    method = job.recipe.options[METHOD]
    source = job.scratch / f"mnn-{method}.mnn"
    if method == "KL":
        model = source.with_suffix(".onnx")
        onnx.save(with_read_input(onnx.load(job.model)), model)
        job = dataclasses.replace(job, model=model)
    _from_onnx(child, job, source, *BLOCKED_INPUT)
    return source


def _through_json(child: Child, job: ConversionJob) -> tuple[tuple[str, ...], Fields]:
    """Precisions whose numbers are made here and written into MNN's JSON form."""
    import onnx

    model = onnx.load(job.model)
    kept = _with_fused(model.graph, job.keep_float)
    graph = _read_base(child, job, _small_constants(model))
    del model
    graph.described["bizCode"] = metadata_text(job.spec, job.recipe)
    notes: tuple[str, ...] = ()
    if job.recipe.precision == "w8":
        for convolution in graph.convolutions:
            store_asymmetric(convolution)
    else:
        repaired = not _KEEPING.issuperset(job.recipe.repairs)
        count = quantize_convolutions(graph, job.ranges, kept, repaired=repaired)
        layers = f"{count} of {len(graph.convolutions)} convolutions and linear layers"
        notes = (f"MNN computes {layers} in int8.",)
        if not count:
            raise _nothing_in_int8(job, len(graph.convolutions))
    text = job.scratch / f"mnn-{job.recipe.precision}.json"
    described = graph.described
    encoded, long = graph.to_json()
    text.write_bytes(encoded)
    del graph, encoded
    fields = {"framework": "JSON", "source": str(text), "output": str(job.output), "options": []}
    child.request("convert", fields)
    put_vectors(job.output, long)
    found = child.request("session", {"path": str(job.output)})[0]
    return notes, {**contents(described), **found}


def _nothing_in_int8(job: ConversionJob, convolutions: int) -> VerificationError:
    name = job.spec.name
    if not convolutions:
        return VerificationError(
            f"{name} has no convolution, and nothing else can be int8 in MNN.", "Use w8."
        )
    if job.keep_float:
        return VerificationError(
            f"None of the {convolutions} convolutions of {name} can be int8 with these ops in "
            "float.",
            "Keep fewer ops in float, or use w8.",
        )
    return VerificationError(
        f"None of the {convolutions} convolutions of {name} can be int8: what they take or give "
        "has no range, or goes through a pooling.",
        "Use w8.",
    )


def _read_base(child: Child, job: ConversionJob, constants: Mapping[str, NDArray[Any]]) -> MnnGraph:
    """The float model's graph; converted once for all files that are made of the model."""
    plain = job.scratch / "mnn-base.mnn"
    text, blob = plain.with_suffix(".json"), plain.with_suffix(".mnn.weight")
    if not text.exists():
        _from_onnx(child, job, plain, "--saveExternalData")
        graph = child.request("graph", {"path": str(plain)})[0]["graph"]
        text.write_bytes(msgspec.json.encode(graph))
    described = msgspec.json.decode(text.read_bytes())
    return MnnGraph(described, blob.read_bytes() if blob.exists() else b"", constants)


def _small_constants(model: ModelProto) -> dict[str, NDArray[Any]]:
    """The ONNX model's, by tensor name: those that MNN may keep in its JSON form."""
    from onnx import numpy_helper

    found = {
        each.name: numpy_helper.to_array(each)
        for each in model.graph.initializer
        if math.prod(each.dims) <= _SMALL
    }
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def _with_fused(graph: GraphProto, keep_float: tuple[str, ...]) -> set[str]:
    """`keep_float`, and what an activation makes of it that MNN fuses into the convolution."""
    kept = set(keep_float)
    for node in graph.node:
        if node.op_type in _FUSED and node.input[0] in kept:
            kept.add(node.output[0])
    return kept


def _matched(
    model: tuple[TensorSpec, ...], file: tuple[TensorSpec, ...], path: Path
) -> tuple[TensorSpec, ...]:
    """The file's tensors in the model's order; MNN keeps names and axes."""
    by_name: Mapping[str, TensorSpec] = {tensor.name: tensor for tensor in file}
    for wanted in model:
        found = by_name.get(wanted.name)
        if found is None or not _fits(found.shape, wanted.shape):
            what = "is missing" if found is None else f"has shape {list(found.shape)}"
            shape = ", ".join("?" if length == DYNAMIC else str(length) for length in wanted.shape)
            raise VerificationError(
                f"In {path.name}, {wanted.name!r} {what} where the model has [{shape}].",
                "Use another target, or report the model.",
            )
    return tuple(
        msgspec.structs.replace(wanted, artifact_name=wanted.name, dtype=by_name[wanted.name].dtype)
        for wanted in model
    )


def _fits(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Lengths in .mnn files are fixed; a model may leave that of what has no values open."""
    return len(found) == len(wanted) and all(
        length == known or (known == DYNAMIC and length == 0)
        for length, known in zip(found, wanted, strict=True)
    )


def _counted(outline: MnnOutline) -> dict[str, int]:
    """Ops by type; convolutions by how their weights are kept as well."""
    return {**outline.ops, **{f"weights {k}": n for k, n in outline.weight_types.items()}}
