"""The rows of the accuracy table, and how they are written."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mobileq.evaluate.numeric import OutputComparison


@dataclass(frozen=True)
class Row:
    """A file to measure. `arguments` are for `mobileq convert`; None: made otherwise."""

    key: str
    title: str
    target: str
    arguments: tuple[str, ...] | None = None
    base: str = "fp32"
    """The row that its size and latency are held against."""
    runner: str = ""
    """Of `accuracy_runs.RUNNERS`, where it is not the target's."""
    file_of: str = ""
    """The row whose file it is, run otherwise."""
    method: str = ""
    """Of ONNX Runtime's quantize_static."""


def _mnn(key: str, title: str, precision: str, *arguments: str) -> Row:
    arguments = ("--target", "mnn", "--precision", precision, *arguments)
    return Row(f"mnn-{key}", title, "mnn", arguments, base="mnn-fp32")


def _mnn_own(method: str) -> Row:
    title = f"MNN's quantizer, {method}"
    return _mnn(method.lower(), title, "int8", "--mnn-method", method)


def _ort(key: str, title: str, *arguments: str, precision: str = "int8") -> Row:
    arguments = ("--target", "onnxruntime", "--precision", precision, *arguments)
    return Row(f"ort-{key}", title, "onnxruntime", arguments, base="onnx", runner="phone")


def _ort_own(key: str, title: str, method: str) -> Row:
    title = f"quantize_static, {title}"
    return Row(f"ort-{key}", title, "onnxruntime", base="onnx", runner="phone", method=method)


def _ort_here(key: str) -> Row:
    title = "the same, as this processor cuts sums off"
    file_of = f"ort-{key}"
    return Row(f"{file_of}-here", title, "onnxruntime", base="onnx", file_of=file_of)


TENSORFLOW = ("--engine", "tensorflow", "--precision", "int8", "--head", "decoded")
ROWS = (
    Row("onnx", "float, ONNX Runtime", "onnxruntime", base="onnx"),
    Row("fp32", "float, TFLite", "tflite", ("--precision", "fp32")),
    Row("int8", "mobileq int8", "tflite", ("--precision", "int8")),
    Row("int8-full", "mobileq int8-full", "tflite", ("--precision", "int8-full")),
    Row("no-search", "mobileq int8, no search", "tflite", ("--precision", "int8", "--no-search")),
    Row("tfliteconverter", "onnx2tf + TFLiteConverter int8", "tflite", TENSORFLOW),
    _ort("int8", "mobileq ONNX Runtime int8"),
    _ort_here("int8"),
    _ort("reduced", "mobileq ONNX Runtime int8, 7-bit weights", "--ort-reduce-range", "yes"),
    _ort("inputs", "mobileq ONNX Runtime int8, inputs only", "--ort-kernels", "inputs"),
    _ort("no-search", "mobileq ONNX Runtime int8, no search", "--no-search"),
    _ort_own("minmax", "MinMax", "MinMax"),
    _ort_here("minmax"),
    _ort_own("entropy", "Entropy", "Entropy"),
    _ort_own("percentile", "Percentile", "Percentile"),
    _ort_own("all", "MinMax, decoding too", "MinMax"),
    Row("nncf", "NNCF, ONNX Runtime", "onnxruntime", base="onnx", runner="phone"),
    _mnn("fp32", "MNN float", "fp32"),
    _mnn("fp16", "MNN fp16", "fp16"),
    _mnn("w8", "mobileq MNN w8", "w8"),
    _mnn("int8", "mobileq MNN int8", "int8"),
    *(_mnn_own(method) for method in ("KL", "ADMM", "EMA")),
)
REFERENCE = "onnx"
"""What the others' answers are held against."""


@dataclass(kw_only=True)
class Result:
    """One row of the table; None where it was not measured, `note` says why."""

    model: str
    row: str
    title: str
    map50_95: float | None = None
    difference: float | None = None
    error: float | None = None
    map50: float | None = None
    agreement: float | None = None
    size_mb: float | None = None
    size_ratio: float | None = None
    latency_ms: float | None = None
    latency_ratio: float | None = None
    seconds: float | None = None
    mean_sqnr_db: float | None = None
    min_sqnr_db: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Column:
    """How a field of `Result` is shown."""

    title: str
    field: str
    form: str


COLUMNS = (
    Column("mAP50-95", "map50_95", ".4f"),
    Column("diff", "difference", "+.4f"),
    Column("s.e.", "error", ".4f"),
    Column("mAP50", "map50", ".4f"),
    Column("agreement", "agreement", ".4f"),
    Column("MB", "size_mb", ".2f"),
    Column("x", "size_ratio", ".2f"),
    Column("ms", "latency_ms", ".2f"),
    Column("x float", "latency_ratio", ".2f"),
    Column("convert s", "seconds", ".1f"),
    Column("SQNR mean", "mean_sqnr_db", ".1f"),
    Column("min", "min_sqnr_db", ".1f"),
)


def set_sqnr(result: Result, outputs: Sequence[OutputComparison]) -> None:
    """Mean and lowest SQNR of the outputs that differ at all."""
    values = [output.sqnr_db for output in outputs if output.sqnr_db is not None]
    if values:
        result.mean_sqnr_db, result.min_sqnr_db = statistics.mean(values), min(values)


def cells(result: Result) -> list[str]:
    """A row's text, without its title."""
    values = [(getattr(result, column.field), column.form) for column in COLUMNS]
    return ["-" if value is None else format(value, form) for value, form in values]


def as_text(results: Sequence[Result]) -> str:
    """A model's table for a terminal."""
    table = [[results[0].model, *(column.title for column in COLUMNS)]]
    table += [[result.title, *cells(result)] for result in results]
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    lines = []
    for row, result in zip(table, [None, *results], strict=True):
        padded = [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
        lines.append("  ".join(padded) + (f"  {result.note}" if result and result.note else ""))
    return "\n" + "\n".join(lines)


def as_markdown(title: str, results: Sequence[Result]) -> str:
    """All tables."""
    lines = [title]
    for model in dict.fromkeys(result.model for result in results):
        lines += ["", f"## {model}", ""]
        titles = ["", *(column.title for column in COLUMNS), "note"]
        lines.append(f"| {' | '.join(titles)} |")
        lines.append(f"|{' --- |'}{' ---: |' * len(COLUMNS)} --- |")
        for result in results:
            if result.model == model:
                note = result.note.replace("|", "\\|")
                lines.append(f"| {' | '.join([result.title, *cells(result), note])} |")
    return "\n".join(lines) + "\n"


def write(folder: Path, title: str, results: Sequence[Result]) -> None:
    """accuracy.json and accuracy.md."""
    document = {"about": title, "results": [dataclasses.asdict(result) for result in results]}
    (folder / "accuracy.json").write_text(json.dumps(document, indent=2) + "\n")
    (folder / "accuracy.md").write_text(as_markdown(title, results))
