"""What `inspect` gives: what files and bundles take, give and are made of."""

from __future__ import annotations

from typing import Literal

from mobileq.device_bench import Bench
from mobileq.manifest import BundleManifest
from mobileq.page import Page, Told, megabytes, most_first, span
from mobileq.spec import ModelSpec, PreprocessSpec, QuantParams, Spec, TensorSpec, readings
from mobileq.targets.model_file import QuantizedTensor

_LABELS_SHOWN = 8
_TENSORS_SHOWN = 20


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
            _tell_model(page, self.model)

    def __repr__(self) -> str:
        family = self.model.family if self.model else None
        return f"<Inspection of {self.path}: {self.format}, {family or 'no known family'}>"


class BundleInspection(Told, Spec, frozen=True, kw_only=True):
    """What `inspect` prints of a bundle: its manifest, whose files are not looked at."""

    path: str
    format: Literal["bundle"] = "bundle"
    size_bytes: int
    manifest: BundleManifest
    benches: tuple[Bench, ...] = ()
    """On phones, the newest first; the newest of each phone is printed."""
    notices: tuple[str, ...] = ()

    def tell(self, page: Page) -> None:
        """Its files with what each takes and gives, and how the model is fed and read."""
        manifest = self.manifest
        page.line(
            f"{self.path}: bundle of {len(manifest.artifacts)} files, "
            f"{megabytes(self.size_bytes)}, made from {manifest.source.file_name}",
            "strong",
        )
        manifest.tell(page)
        for kind in ("inputs", "outputs"):
            rows = [
                (artifact.name, *_tensor_row(tensor))
                for artifact in manifest.artifacts
                for tensor in getattr(artifact, kind)
            ]
            columns = ("file", "name", "shape", "type", "layout", "scale", "zero-point")
            page.table(columns, rows, kind.capitalize())
        _tell_model(page, manifest.model)
        newest = {each.device.name: each for each in reversed(self.benches)}
        for bench in newest.values():
            bench.tell(page)

    def __repr__(self) -> str:
        return f"<BundleInspection of {self.path}: {self.manifest.model.name}>"


def _tell_model(page: Page, model: ModelSpec) -> None:
    page.line(f"Family: {model.family or 'not known'}; task: {model.task}")
    if model.preprocess:
        page.line(f"Preprocessing: {_preprocessing(model.preprocess)}")
    for reading in readings(model).values():
        page.line(reading.summary)
    if model.labels:
        page.line(f"Labels: {_shortened(model.labels)}")


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
    mean, std = (
        ", ".join(f"{v:g}" for v in values) for values in (spec.image_mean, spec.image_std)
    )
    return (
        f"{spec.resizing}, {spec.channel_order}, "
        f"(pixel * {spec.rescale_factor:.6g} - [{mean}]) / [{std}], {spec.layout}"
    )
