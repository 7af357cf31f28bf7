"""`mobileq inspect`: what a model file takes, gives and is made of."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mobileq.graph.prepared_file import PreparedFile
from mobileq.page import Page, Told, megabytes, most_first, span
from mobileq.spec import DecodeSpec, ModelSpec, PreprocessSpec, QuantParams, Spec, TensorSpec
from mobileq.workflows.opening import OpenModel, Overrides, file_kind, prepared_by, require_settable

_LABELS_SHOWN = 8
_TENSORS_SHOWN = 20


class QuantizedTensor(Spec, frozen=True, kw_only=True):
    """An activation that a file keeps in integers: real = scale * (code - zero_point).

    `min` and `max` are the real values of its lowest and highest code.
    """

    name: str
    dtype: str
    scale: float
    zero_point: int
    min: float
    max: float


class Inspection(Told, Spec, frozen=True, kw_only=True):
    """What `inspect` prints. `inputs` and `outputs` are the file's own; `model` is how mobileq
    would feed and read it; `notices` say what is not known and why."""

    path: str
    format: str
    size_bytes: int
    opset: int | None
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: dict[str, int]
    tensor_types: dict[str, int]
    """How many tensors of each type the file holds, weights included."""
    quantized: tuple[QuantizedTensor, ...] = ()
    """Activations, in the file's order."""
    model: ModelSpec | None
    notices: tuple[str, ...] = ()

    def tell(self, page: Page) -> None:
        """Inputs, outputs, what it is made of, and how it is fed and read."""
        opset = f", opset {self.opset}" if self.opset else ""
        page.line(f"{self.path}: {self.format}, {megabytes(self.size_bytes)}{opset}", "strong")
        tensors = [("input", tensor) for tensor in self.inputs]
        tensors += [("output", tensor) for tensor in self.outputs]
        rows = [(kind, *_tensor_row(tensor)) for kind, tensor in tensors]
        page.table(("", "name", "shape", "type", "layout", "scale", "zero-point"), rows)
        ops = ", ".join(f"{count} {op}" for op, count in most_first(self.ops))
        page.line(f"Ops: {ops}")
        types = ", ".join(f"{count} {name}" for name, count in most_first(self.tensor_types))
        page.line(f"Tensors: {types}")
        if self.quantized:
            _tell_quantized(page, self.quantized)
        if self.model:
            page.line(f"Family: {self.model.family or 'not known'}; task: {self.model.task}")
            if self.model.preprocess:
                page.line(f"Preprocessing: {_preprocessing(self.model.preprocess)}")
            if self.model.decode:
                page.line(f"Decoding: {_decoding(self.model.decode)}")
            if self.model.labels:
                page.line(f"Labels: {_shortened(self.model.labels)}")

    def __repr__(self) -> str:
        family = self.model.family if self.model else None
        return f"<Inspection of {self.path}: {self.format}, {family or 'no known family'}>"


def inspect(path: Path | str, overrides: Overrides | None = None) -> Inspection:
    """Read a model file; nothing of it is run.

    Raises:
        UsageError: There is no such file, or it is of no kind that mobileq knows.
        InputError: It is damaged.
    """
    path = Path(path)
    readers = {".onnx": _onnx, ".tflite": _tflite, ".mnn": _mnn}
    overrides = overrides or Overrides()
    kind = file_kind(path)
    require_settable(path, kind, overrides)
    return readers[kind](path, overrides)


def _onnx(path: Path, overrides: Overrides) -> Inspection:
    with tempfile.TemporaryDirectory(prefix="mobileq-", ignore_cleanup_errors=True) as folder:
        prepared = prepared_by(path, overrides, Path(folder))
    return Inspection(
        path=str(path),
        format="onnx",
        size_bytes=path.stat().st_size,
        opset=prepared.opset,
        inputs=prepared.spec.inputs,
        outputs=prepared.spec.outputs,
        ops=prepared.file_ops,
        tensor_types=prepared.file_tensors,
        model=prepared.spec,
        notices=(*prepared.notices, *_refusals(prepared)),
    )


def _refusals(prepared: PreparedFile) -> tuple[str, ...]:
    """Why a model that no family fits is none of them."""
    if prepared.spec.family is not None:
        return ()
    if len(set(prepared.reasons.values())) == 1:
        return (f"Of no family: {next(iter(prepared.reasons.values()))}.",)
    return tuple(f"Not {family}: {reason}." for family, reason in prepared.reasons.items())


def _tflite(path: Path, overrides: Overrides) -> Inspection:
    from mobileq.targets.tflite import flatbuffer
    from mobileq.targets.tflite.tensors import code_limits, file_tensors, quantized_activations
    from mobileq.workflows.opening import open_model

    graph = flatbuffer.read_model(path)
    inputs, outputs = file_tensors(graph)
    opened: OpenModel = open_model(path, None, overrides)
    return Inspection(
        path=str(path),
        format="tflite",
        size_bytes=path.stat().st_size,
        opset=None,
        inputs=inputs,
        outputs=outputs,
        ops=flatbuffer.op_counts(graph),
        tensor_types=flatbuffer.tensor_types(graph),
        quantized=tuple(
            _quantized(name, dtype, quant.scale[0], quant.zero_point[0], *code_limits(dtype))
            for name, dtype, quant in quantized_activations(graph)
        ),
        model=opened.spec,
        notices=opened.notices,
    )


def _mnn(path: Path, overrides: Overrides) -> Inspection:
    from mobileq.targets.mnn.metadata import embedded_spec
    from mobileq.targets.mnn.outline import read_outline

    outline = read_outline(path)
    spec = embedded_spec(path)
    return Inspection(
        path=str(path),
        format="mnn",
        size_bytes=path.stat().st_size,
        opset=None,
        inputs=outline.inputs,
        outputs=outline.outputs,
        ops=outline.ops,
        tensor_types=outline.weight_types,
        quantized=tuple(
            _quantized(name, "int8", *found) for name, found in outline.quantized.items()
        ),
        model=spec,
        notices=() if spec else ("This file does not say how its input is prepared.",),
    )


def _quantized(
    name: str, dtype: str, scale: float, zero_point: int, lowest: int, highest: int
) -> QuantizedTensor:
    return QuantizedTensor(
        name=name,
        dtype=dtype,
        scale=scale,
        zero_point=zero_point,
        min=scale * (lowest - zero_point),
        max=scale * (highest - zero_point),
    )


def _tell_quantized(page: Page, tensors: tuple[QuantizedTensor, ...]) -> None:
    shown = tensors[:_TENSORS_SHOWN]
    rows = [
        (
            each.name,
            each.dtype,
            f"{each.scale:.6g}",
            str(each.zero_point),
            span(each.min, each.max),
        )
        for each in shown
    ]
    columns = ("activation", "type", "scale", "zero-point", "range")
    page.table(columns, rows, "Activations in integers")
    if len(tensors) > len(shown):
        rest = len(tensors) - len(shown)
        page.line(f"{rest} more activations are in integers; --json has all.", "quiet")


def _shortened(labels: tuple[str, ...]) -> str:
    """The first labels; `--json` has them all."""
    if len(labels) <= _LABELS_SHOWN:
        return ", ".join(labels)
    return f"{', '.join(labels[:_LABELS_SHOWN])}, ... {len(labels)} in all"


def _tensor_row(tensor: TensorSpec) -> tuple[str, ...]:
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    scale, zero_point = _quant(tensor.quant)
    return tensor.name, shape, tensor.dtype, tensor.layout or "", scale, zero_point


def _quant(quant: QuantParams | None) -> tuple[str, str]:
    if quant is None:
        return "", ""
    if len(quant.scale) > 1:
        return f"{len(quant.scale)} along axis {quant.axis}", "per channel"
    return f"{quant.scale[0]:.6g}", str(quant.zero_point[0])


def _preprocessing(spec: PreprocessSpec) -> str:
    resize = spec.resize_mode.replace("_", " ")
    padding = "" if spec.resize_mode == "stretch" else f" on {spec.pad_value}"
    mean, std = (
        ", ".join(f"{v:g}" for v in values) for values in (spec.image_mean, spec.image_std)
    )
    return (
        f"{resize} to {spec.width}x{spec.height}{padding}, {spec.channel_order}, "
        f"(pixel * {spec.rescale_factor:.6g} - [{mean}]) / [{std}], {spec.layout}"
    )


def _decoding(spec: DecodeSpec) -> str:
    parts = [f"{spec.kind}, {spec.class_count} classes"]
    if spec.strides:
        parts.append(f"strides {'/'.join(map(str, spec.strides))}")
    if spec.reg_max:
        parts.append(f"{spec.reg_max} bins a side")
    parts.append(f"boxes {spec.box_format} in {spec.box_unit} units")
    return ", ".join(parts)
