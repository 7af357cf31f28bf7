"""What a lone .tflite file says of itself: a zip after the flatbuffer, with a metadata.json.

Readers of the flatbuffer start at its head and never see it; Ultralytics' loader reads the same
place, so `names`, `stride`, `imgsz` and `task` are kept under its keys beside our own.
"""

from __future__ import annotations

import ast
import json
import zipfile
from pathlib import Path
from typing import Any

import msgspec

from mobileq.spec import Artifact, ModelSpec

_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
_LIMIT = 4 * 1024 * 1024


def embed_metadata(path: Path, spec: ModelSpec, described: dict[str, Any]) -> None:
    """Append metadata.json and labels.txt to the file. `described` is added under `mobileq`."""
    entries = {"metadata.json": json.dumps(_metadata(spec, described), indent=1, sort_keys=True)}
    if spec.labels:
        entries["labels.txt"] = "\n".join(spec.labels) + "\n"
    # Mode "a" on a file that is no zip: the archive goes to its end, offsets count from its head.
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in entries.items():
            info = zipfile.ZipInfo(name, _FIXED_TIME)  # same input, same bytes
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)


def _metadata(spec: ModelSpec, described: dict[str, Any]) -> dict[str, Any]:
    own = {"model": msgspec.to_builtins(spec), **described}
    found: dict[str, Any] = {"mobileq": own, "task": spec.task}
    if spec.labels:
        found["names"] = {str(index): label for index, label in enumerate(spec.labels)}
    if spec.preprocess:
        found["imgsz"] = [spec.preprocess.height, spec.preprocess.width]
    if spec.decode and spec.decode.strides:
        found["stride"] = max(spec.decode.strides)
    return found


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata.json appended to the file, or {} where there is none that can be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("metadata.json").file_size > _LIMIT:
                return {}
            found = json.loads(archive.read("metadata.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, NotImplementedError, EOFError):
        return {}
    except RuntimeError:  # an encrypted entry
        return {}
    return found if isinstance(found, dict) else {}


def read_foreign_metadata(path: Path) -> dict[str, str]:
    """Metadata as other exporters leave it, in the form of an ONNX file's metadata_props.

    Ultralytics writes a metadata.json (or, before 8.3, a Python literal in temp_meta.txt) whose
    `names`, `task` and so on are those of its ONNX files.
    """
    found = read_metadata(path)
    if not found:
        found = _literal_metadata(path)
    return {key: value if isinstance(value, str) else str(value) for key, value in found.items()}


def _literal_metadata(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            entry = next(name for name in archive.namelist() if name.endswith("meta.txt"))
            if archive.getinfo(entry).file_size > _LIMIT:
                return {}
            found = ast.literal_eval(archive.read(entry).decode())
    except (StopIteration, zipfile.BadZipFile, OSError, ValueError, SyntaxError, MemoryError):
        return {}
    except (NotImplementedError, EOFError, RuntimeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def embedded_spec(path: Path) -> ModelSpec | None:
    """The ModelSpec that mobileq wrote into the file, or None."""
    try:
        return msgspec.convert(read_metadata(path)["mobileq"]["model"], ModelSpec, strict=False)
    except (KeyError, TypeError, msgspec.ValidationError):
        return None


def described_artifact(artifact: Artifact) -> dict[str, Any]:
    """What of an artifact stands in its own metadata: all but its path, size and hash."""
    built: dict[str, Any] = msgspec.to_builtins(artifact)
    return {key: built[key] for key in ("precision", "inputs", "outputs", "recipe")}
