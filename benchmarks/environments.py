"""Tools that are measured beside mobileq: an environment for each, made on request."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

TOOLS: Mapping[str, tuple[str, ...]] = {
    "nncf": ("nncf==3.4.0", "onnx==1.20.1", "onnxruntime"),
    "ai-edge-quantizer": ("ai-edge-quantizer==0.10.0",),
    "onnx2tf": ("onnx2tf==2.6.9",),
    "ncnn": ("ncnn==1.0.20261020",),
}
"""What is installed in each, the tool first."""
_MEBI = 1024.0
_TELLING = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code if code >= 0 else 128 - code)
"""
"""A small process between: Linux counts what a child's parent had in memory when it forked as the
child's own, and a benchmark holds all models of its rows."""


class RowError(Exception):
    """A row that cannot be had, in one sentence."""


def create(folder: Path, tools: tuple[str, ...] = tuple(TOOLS)) -> dict[str, str]:
    """Make those that are missing; why those that can't be are not there."""
    failed = {}
    for tool in tools:
        if (folder / tool / "installed").exists():
            continue
        print(f"Making {folder / tool} ...", file=sys.stderr, flush=True)
        try:
            run([sys.executable, "-m", "venv", "--clear", str(folder / tool)])
            run([_python(folder, tool), "-m", "pip", "install", "--quiet", *TOOLS[tool]])
            (folder / tool / "installed").touch()
        except RowError as error:
            failed[tool] = str(error)
    return failed


def python_of(tool: str, folder: Path) -> str:
    """The Python that has it: the tool's own, or this one.

    Raises:
        RowError: Neither has it.
    """
    if not tool:
        return sys.executable
    for python in (_python(folder, tool), sys.executable):
        if Path(python).exists() and _version(python, tool):
            return python
    raise RowError(f"{tool} is not installed")


def version_of(tool: str, folder: Path) -> str:
    """Of the one that `python_of` finds; nothing where there is none."""
    try:
        return _version(python_of(tool, folder), tool)
    except RowError:
        return ""


def run(command: list[str]) -> float:
    """Megabytes of the largest process of a command that must succeed.

    Raises:
        RowError: It fails; with the end of what it wrote.
    """
    environment = {**os.environ, "COLUMNS": "1000", "NO_COLOR": "1"}
    with tempfile.TemporaryFile() as written:
        child = subprocess.run(
            [sys.executable, "-c", _TELLING, *command],
            env=environment, stdout=subprocess.PIPE, stderr=written,
        )  # fmt: skip
        if child.returncode:
            written.seek(0)
            text = written.read().decode(errors="replace")
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            # Where one exception came of another, the first has the reason.
            causes = [line for line in lines if re.match(r"[\w.]*Error: ", line)]
            told = " ".join(causes[:1] or lines[-2:])
            raise RowError(f"failed ({child.returncode}): {told[:240]}")
    peak = float(child.stdout)
    return peak / (_MEBI * _MEBI if sys.platform == "darwin" else _MEBI)


def _python(folder: Path, tool: str) -> str:
    return str(folder / tool / "bin" / "python")


def _version(python: str, tool: str) -> str:
    """Without importing it."""
    code = f"import importlib.metadata as m; print(m.version({tool!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""
