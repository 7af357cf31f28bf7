"""What a lone .tflite file says of itself: a zip after the flatbuffer, with a metadata.json.

Readers of the flatbuffer start at its head and never see it; Ultralytics' loader reads the same
place, so `names`, `stride`, `imgsz` and `task` are kept under its keys beside our own.
"""

from __future__ import annotations

import ast
import json
import re
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import msgspec

from mobileq.spec import ModelSpec, embedded
from mobileq.targets.embedded import KEY, common_entries, described_model

_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
_LIMIT = 4 * 1024 * 1024
_LITERAL_LIMIT = 256 * 1024
"""Python's parser takes some hundred times the memory of the text."""


def embed_metadata(path: Path, spec: ModelSpec, described: dict[str, Any]) -> None:
    """Append metadata.json and labels.txt to the file. `described` is added under `mobileq`."""
    found = {KEY: {"model": embedded(spec), **described}, **common_entries(spec)}
    entries = {"metadata.json": json.dumps(found, indent=1, sort_keys=True)}
    if spec.labels:
        entries["labels.txt"] = "\n".join(spec.labels) + "\n"
    # Mode "a" on a file that is no zip: the archive goes to its end, offsets count from its head.
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in entries.items():
            info = zipfile.ZipInfo(name, _FIXED_TIME)  # same input, same bytes
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata.json appended to the file, or {} where there is none that can be read."""
    text = _entry(path, re.compile(r"metadata\.json"), _LIMIT)
    try:
        # Unlike the standard library's, this decoder takes no half characters (lone surrogates),
        # which could not be written anywhere afterwards.
        found = msgspec.json.decode(text) if text else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _entry(path: Path, name: re.Pattern[str], limit: int) -> bytes | None:
    """The first entry so named, or None: there is none, it is damaged, or longer than `limit`."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = next(info for info in archive.infolist() if name.fullmatch(info.filename))
            # Other methods unpack without bounds, whatever size the entry says it has.
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                return None
            with archive.open(info) as file:
                text = file.read(limit + 1)
    except (zipfile.BadZipFile, StopIteration, OSError, ValueError, EOFError):
        return None
    except (zlib.error, struct.error, NotImplementedError, RuntimeError):  # also: encrypted
        return None
    return text if len(text) <= limit else None


def read_foreign_metadata(path: Path) -> dict[str, str]:
    """Metadata as other exporters leave it, in the form of an ONNX file's metadata_props.

    Ultralytics writes a metadata.json (or, before 8.3, a Python literal in temp_meta.txt) whose
    `names`, `task` and so on are those of its ONNX files.
    """
    found = read_metadata(path) or _literal_metadata(path)
    try:
        return {
            str(key): value if isinstance(value, str) else str(value)
            for key, value in found.items()
        }
    except (ValueError, RecursionError):  # an integer of thousands of digits, lists in lists
        return {}


def _literal_metadata(path: Path) -> dict[Any, Any]:
    text = _entry(path, re.compile(r".*meta\.txt"), _LITERAL_LIMIT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # "\\d" is for whoever wrote it
            found = ast.literal_eval(text.decode()) if text else {}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def embedded_spec(path: Path) -> ModelSpec | None:
    """The ModelSpec that mobileq wrote into the file, or None.

    Raises:
        InputError: There is one, and it is wrong.
    """
    return described_model(read_metadata(path), path)
