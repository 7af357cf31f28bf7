"""Results as tables for people."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from mobileq.console import Console
from mobileq.evaluate.report import Validation
from mobileq.manifest import BundleManifest
from mobileq.spec import DecodeSpec, PreprocessSpec, QuantParams, TensorSpec
from mobileq.workflows.detect import DetectionRun, PictureDetections
from mobileq.workflows.inspect import Inspection, QuantizedTensor
from mobileq.workflows.sensitivity import CHART_NAME, JSON_NAME, Sensitivity

_LABELS_SHOWN = 8
_OBJECTS_SHOWN = 100
_TENSORS_SHOWN = 20
_GROUPS_SHOWN = 20
_GROUPS_EXPLAINED = 5


def print_manifest(console: Console, manifest: BundleManifest, output: Path) -> None:
    """What `convert` wrote."""
    rows = []
    for artifact in manifest.artifacts:
        measured = manifest.measurements[artifact.name]
        rows.append(
            (
                Path(artifact.path).name,
                _megabytes(artifact.size_bytes),
                _number(measured.get("sqnr_db"), ".1f", "exact"),
                _number(measured.get("cosine"), ".6f"),
                _number(measured.get("agreement_map50_95"), ".3f"),
                artifact.recipe.engine,
            )
        )
    columns = ("file", "size", "SQNR dB", "cosine", "agreement", "engine")
    console.table(columns, rows, f"{manifest.model.name}: compared with ONNX Runtime")
    console.line(
        "agreement: mAP50-95 of the file's detections, the ONNX model's taken for the truth.",
        "quiet",
    )
    console.line(f"Bundle: {output}", "strong")


def print_validation(console: Console, validation: Validation) -> None:
    """What `validate` measured."""
    rows = [
        (
            scores.name,
            _number(scores.accuracy.map50_95 if scores.accuracy else None, ".4f"),
            _number(scores.accuracy.map50 if scores.accuracy else None, ".4f"),
            _number(scores.agreement.map50_95 if scores.agreement else None, ".4f"),
            _megabytes(scores.size_bytes),
            f"{scores.latency_ms:.1f}",
        )
        for scores in validation.scores
    ]
    columns = ("file", "mAP50-95", "mAP50", "agreement", "size", "median ms")
    against = f" ({validation.annotations})" if validation.annotations else ", no labels"
    console.table(columns, rows, f"{validation.images} images{against}; {validation.machine}")
    interpreters = dict.fromkeys(scores.interpreter for scores in validation.scores)
    console.line(f"Run by {', '.join(interpreters)}.", "quiet")


def print_detections(console: Console, run: DetectionRun) -> None:
    """What `detect` found; of many pictures the first, and how much there is of each class."""
    rows = [
        (
            _picture(picture),
            found.label,
            f"{found.score:.3f}",
            ", ".join(f"{value:.0f}" for value in found.xyxy),
        )
        for picture in run.pictures
        for found in picture.objects
    ]
    shown = rows if len(rows) <= _OBJECTS_SHOWN else rows[:_OBJECTS_SHOWN]
    console.table(("picture", "class", "score", "box: left, top, right, bottom"), shown)
    if len(rows) > len(shown):
        found = ", ".join(f"{count} {label}" for label, count in _most_first(_labels(run)))
        console.line(f"{len(rows) - len(shown)} more objects; --json has all.", "quiet")
        console.line(f"In {len(run.pictures)} pictures: {found}")
    for drawn in dict.fromkeys(picture.drawn for picture in run.pictures if picture.drawn):
        console.line(f"Drawn: {drawn}")
    if run.coco:
        console.line(f"COCO results: {run.coco}")


def _picture(picture: PictureDetections) -> str:
    frame = "" if picture.frame is None else f" #{picture.frame}"
    return Path(picture.image).name + frame


def _labels(run: DetectionRun) -> dict[str, int]:
    return Counter(found.label for picture in run.pictures for found in picture.objects)


def print_inspection(console: Console, found: Inspection) -> None:
    """What `inspect` read."""
    opset = f", opset {found.opset}" if found.opset else ""
    console.line(f"{found.path}: {found.format}, {_megabytes(found.size_bytes)}{opset}", "strong")
    tensors = [("input", tensor) for tensor in found.inputs]
    tensors += [("output", tensor) for tensor in found.outputs]
    rows = [(kind, *_tensor_row(tensor)) for kind, tensor in tensors]
    console.table(("", "name", "shape", "type", "layout", "scale", "zero-point"), rows)
    ops = ", ".join(f"{count} {op}" for op, count in _most_first(found.ops))
    console.line(f"Ops: {ops}")
    types = ", ".join(f"{count} {name}" for name, count in _most_first(found.tensor_types))
    console.line(f"Tensors: {types}")
    if found.quantized:
        _print_quantized(console, found.quantized)
    if found.model:
        console.line(f"Family: {found.model.family or 'not known'}; task: {found.model.task}")
        if found.model.preprocess:
            console.line(f"Preprocessing: {_preprocessing(found.model.preprocess)}")
        if found.model.decode:
            console.line(f"Decoding: {_decoding(found.model.decode)}")
        if found.model.labels:
            console.line(f"Labels: {_shortened(found.model.labels)}")
    for notice in found.notices:
        console.notice(notice)


def _print_quantized(console: Console, tensors: tuple[QuantizedTensor, ...]) -> None:
    shown = tensors[:_TENSORS_SHOWN]
    rows = [
        (
            each.name,
            each.dtype,
            f"{each.scale:.6g}",
            str(each.zero_point),
            _span(each.min, each.max),
        )
        for each in shown
    ]
    columns = ("activation", "type", "scale", "zero-point", "range")
    console.table(columns, rows, "Activations in integers")
    if len(tensors) > len(shown):
        rest = len(tensors) - len(shown)
        console.line(f"{rest} more activations are in integers; --json has all.", "quiet")


def _span(low: float, high: float) -> str:
    return f"{low:.3g} .. {high:.3g}"


def print_sensitivity(console: Console, found: Sensitivity, output: Path | None) -> None:
    """What `sensitivity` found."""
    shown = found.groups[:_GROUPS_SHOWN]
    agreed = any(group.agreement is not None for group in shown)
    rows = [
        (
            group.op_type,
            group.name,
            f"{group.share:.1%}",
            f"{math.sqrt(group.error):.4f}",
            f"{group.sqnr_db:.1f}",
            *((_number(group.agreement, ".3f"),) if agreed else ()),
            f"{group.weight_count:,}",
            _span(group.low, group.high),
        )
        for group in shown
    ]
    columns = ("op", "tensor", "share", "error", "SQNR dB")
    columns += (*(("agreement",) if agreed else ()), "weights", "range")
    title = f"{found.model}: each group of ops alone in 8 bits, {found.samples} pictures"
    console.table(columns, rows, title)
    if len(found.groups) > len(shown):
        rest = sum(group.share for group in found.groups[len(shown) :])
        console.line(f"{len(found.groups) - len(shown)} more groups have {rest:.1%}.", "quiet")
    for group in found.groups[:_GROUPS_EXPLAINED]:
        console.line(f"{group.name}: {group.why}")
    if found.error_of == "candidates":
        console.line(
            "error: root mean square of what scores and box sides (in parts of the box) are off, "
            "before suppression; share: of the sum of its squares.",
            "quiet",
        )
    else:
        console.line("error: noise of the outputs over their signal, as a root.", "quiet")
    if agreed:
        console.line(
            "agreement: mAP50-95 of the detections, the float model's taken for the truth.", "quiet"
        )
    if output is not None:
        console.line(f"Written: {output / JSON_NAME}, {output / CHART_NAME}", "strong")


def _most_first(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


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


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.2f} MB"


def _number(value: float | int | str | None, form: str, without: str = "-") -> str:
    return without if value is None else format(value, form)
