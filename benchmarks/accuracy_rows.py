"""The rows of the accuracy table, what is known of each, and how that is written."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """A file to measure.

    Attributes:
        made: How: "source", the ONNX model itself; "convert" with `arguments`; "nncf",
            "ai_edge_quantizer", "onnx2tf", "ncnn", "quantize_static"; "of:ROW", another row's file
            run otherwise.
        tool: Of `environments.TOOLS`, where it may have an environment of its own.
        base: The row that its size and latency are held against.
        runner: Of `accuracy_runs.RUNNERS`, for its answers, where it is not the target's.
    """

    key: str
    title: str
    target: str
    made: str = "convert"
    arguments: tuple[str, ...] = ()
    base: str = "fp32"
    runner: str = ""
    tool: str = ""

    @property
    def file_of(self) -> str:
        """The row whose file it is."""
        return self.made.removeprefix("of:") if self.made.startswith("of:") else self.key


def _tflite(key: str, title: str, *arguments: str) -> Row:
    return Row(key, title, "tflite", arguments=("--target", "tflite", *arguments))


def _ai_edge(key: str, recipe: str, algorithm: str) -> Row:
    """Of the newest release, which needs another LiteRT than mobileq."""
    made, tool = "ai_edge_quantizer", "ai-edge-quantizer"
    title = f"ai-edge-quantizer {recipe} {algorithm}"
    arguments = (f"{recipe}_{'wi8_ai8' if recipe == 'static' else 'wi8_afp32'}", algorithm)
    return Row(f"aeq-{key}", title, "peers", made, arguments, tool=tool)


def _mnn(key: str, title: str, precision: str, *arguments: str) -> Row:
    arguments = ("--target", "mnn", "--precision", precision, *arguments)
    return Row(f"mnn-{key}", title, "mnn", arguments=arguments, base="mnn-fp32")


def _mnn_own(method: str) -> Row:
    title = f"MNN's quantizer, {method}"
    return _mnn(method.lower(), title, "int8", "--mnn-method", method)


def _ort(key: str, title: str, *arguments: str, made: str = "convert") -> Row:
    arguments = ("--target", "onnxruntime", "--precision", "int8", *arguments)
    return Row(f"ort-{key}", title, "onnxruntime", made, arguments, base="onnx", runner="phone")


def _ort_own(method: str) -> Row:
    return _ort(method.lower(), f"quantize_static, {method}", "--ort-method", method)


def _ort_here(key: str) -> Row:
    title = "the same, as this processor cuts sums off"
    return Row(f"ort-{key}-here", title, "onnxruntime", f"of:ort-{key}", base="onnx")


TENSORFLOW = ("--engine", "tensorflow", "--precision", "int8", "--head", "decoded")
ROWS = (
    Row("onnx", "float, ONNX Runtime", "onnxruntime", "source", base="onnx"),
    _tflite("fp32", "float, TFLite", "--precision", "fp32"),
    _tflite("int8", "mobileq int8", "--precision", "int8"),
    _tflite("int8-full", "mobileq int8-full", "--precision", "int8-full"),
    _tflite("no-search", "mobileq int8, no search", "--precision", "int8", "--no-search"),
    _tflite("tfliteconverter", "onnx2tf + TFLiteConverter int8", *TENSORFLOW),
    Row(
        *("ai-edge-quantizer", "ai-edge-quantizer static_wi8_ai8", "tflite", "ai_edge_quantizer"),
        arguments=("static_wi8_ai8",),
    ),
    _ai_edge("static", "static", "MIN_MAX_UNIFORM_QUANT"),
    _ai_edge("dynamic", "dynamic", "MIN_MAX_UNIFORM_QUANT"),
    _ai_edge("gptq", "static", "GPTQ"),
    _ai_edge("oscar", "static", "OSCAR"),
    Row("onnx2tf", "onnx2tf's own int8, direct", "peers", "onnx2tf", tool="onnx2tf"),
    Row("ncnn", "ncnn2int8", "peers", "ncnn", tool="ncnn"),
    _ort("int8", "mobileq ONNX Runtime int8"),
    _ort_here("int8"),
    _ort("reduced", "mobileq ONNX Runtime int8, 7-bit weights", "--ort-reduce-range", "yes"),
    _ort("inputs", "mobileq ONNX Runtime int8, inputs only", "--ort-kernels", "inputs"),
    _ort("no-search", "mobileq ONNX Runtime int8, no search", "--no-search"),
    _ort_own("MinMax"),
    _ort_here("minmax"),
    _ort_own("Entropy"),
    _ort_own("Percentile"),
    _ort("all", "quantize_static, MinMax, decoding too", made="quantize_static"),
    Row(
        *("nncf", "NNCF, ONNX Runtime", "onnxruntime", "nncf"),
        base="onnx",
        runner="phone",
        tool="nncf",
    ),
    _mnn("fp32", "MNN float", "fp32"),
    _mnn("fp16", "MNN fp16", "fp16"),
    _mnn("w8", "mobileq MNN w8", "w8"),
    _mnn("int8", "mobileq MNN int8", "int8"),
    *(_mnn_own(method) for method in ("KL", "ADMM", "EMA")),
)
TARGETS = tuple(dict.fromkeys(row.target for row in ROWS))
REFERENCE = "onnx"
"""What the others' answers are held against."""


def chosen_rows(targets: Sequence[str], wanted: Sequence[str] | None) -> tuple[Row, ...]:
    """In the table's order, always with those that others are held against.

    Raises:
        ValueError: There is no such target or row.
    """
    if unknown := set(targets) - set(TARGETS):
        raise ValueError(f"there is no target {min(unknown)!r}")
    keys = {row.key for row in ROWS if row.target in targets or row.key == "nncf"}
    if wanted is not None:
        keys = set(wanted)
    if unknown := keys - {row.key for row in ROWS}:
        raise ValueError(f"there is no row {min(unknown)!r}")
    for row in ROWS:
        if row.key in keys:
            keys |= {row.file_of, row.base, REFERENCE}
    return tuple(row for row in ROWS if row.key in keys)


@dataclass(kw_only=True)
class Result:
    """What is known of one row; None where it was not measured, `note` says why.

    Attributes:
        figure: `measure` of all pictures.
        difference: To the float model in ONNX Runtime.
        error: Its standard error.
        seconds, cpu_seconds: To make the file, all processes together.
        peak_mb: The largest of these processes.
        latency_ms: The median of an inference; the ratios are to the row's `base`.
        made_at: The commit whose code made the file.
    """

    model: str
    row: str
    title: str
    measure: str = ""
    figure: float | None = None
    difference: float | None = None
    error: float | None = None
    size_mb: float | None = None
    size_ratio: float | None = None
    latency_ms: float | None = None
    latency_ratio: float | None = None
    cpu_ratio: float | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    peak_mb: float | None = None
    made_at: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the difference is one."""
        if self.difference is None or self.error is None:
            return ""
        if abs(self.difference) <= 2 * self.error:
            return "no difference found"
        return "worse" if self.difference < 0 else "better"


COLUMNS = (
    ("{measure}", "figure", ".4f"),
    ("diff", "difference", "+z.4f"),
    ("s.e.", "error", ".4f"),
    ("verdict", "verdict", ""),
    ("MB", "size_mb", ".2f"),
    ("size x float", "size_ratio", ".2f"),
    ("ms", "latency_ms", ".1f"),
    ("latency x float", "latency_ratio", ".2f"),
    ("CPU x float", "cpu_ratio", ".2f"),
    ("made in s", "seconds", ".0f"),
    ("CPU s", "cpu_seconds", ".0f"),
    ("peak MB", "peak_mb", ".0f"),
    ("note", "note", ""),
)
"""(title, field of `Result`, how it is shown)."""


def _cells(result: Result) -> list[str]:
    values = [(getattr(result, field), form) for _, field, form in COLUMNS]
    return [result.title, *("-" if v is None else format(v, form) for v, form in values)]


def _table(results: Sequence[Result]) -> list[list[str]]:
    measure = next((result.measure for result in results if result.measure), "")
    titles = (title.format(measure=measure) for title, _, _ in COLUMNS)
    return [[results[0].model, *titles], *map(_cells, results)]


def as_text(results: Sequence[Result]) -> str:
    """A model's table for a terminal."""
    table = _table(results)
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:-1], widths[1:-1]), row[-1]])
        for row in table
    ]
    return "\n".join(["", *map(str.rstrip, lines)])


def as_markdown(about: str, results: Sequence[Result]) -> str:
    """A table for each model."""
    lines = [about]
    for model in dict.fromkeys(result.model for result in results):
        heads, *rows = _table([result for result in results if result.model == model])
        lines += ["", f"## {heads[0]}", "", f"| {' | '.join(['', *heads[1:]])} |"]
        lines.append(f"| --- |{' ---: |' * (len(heads) - 2)} --- |")
        lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in r)} |" for r in rows]
    return "\n".join(lines) + "\n"


def read(folder: Path) -> list[Result]:
    """What a run before this one wrote there."""
    path = folder / "accuracy.json"
    if not path.exists():
        return []
    names = {field.name for field in fields(Result)}
    stored: list[dict[str, Any]] = json.loads(path.read_text())["results"]
    return [Result(**{k: v for k, v in each.items() if k in names}) for each in stored]


def write(folder: Path, about: str, results: Sequence[Result]) -> None:
    """accuracy.json and accuracy.md, each whole at any time."""
    listed = [{**asdict(result), "verdict": result.verdict} for result in results]
    document = json.dumps({"about": about, "results": listed}, indent=2) + "\n"
    texts = {"accuracy.json": document, "accuracy.md": as_markdown(about, results)}
    for name, text in texts.items():
        (folder / f"{name}.new").write_text(text)
        os.replace(folder / f"{name}.new", folder / name)
