"""What a lone .tflite file says of itself: a zip after the flatbuffer.

Readers of the flatbuffer start at its head and never see it. The flatbuffer itself names its label
files (`standard_metadata`). Ultralytics' loaders read metadata.json, so `names`, `stride`, `imgsz`,
`task`, `batch` and `channels` are there under its keys.
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
from mobileq.targets.tflite.standard_metadata import label_files

_COMMON, _OWN = "metadata.json", "mobileq.json"
"""Entries: what other loaders read, and all that mobileq knows. The second stood in the first,
under `KEY`, in files of before."""
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
_LIMIT = 4 * 1024 * 1024
_LITERAL_LIMIT = 256 * 1024
"""Python's parser takes some hundred times the memory of the text."""


def embed_metadata(path: Path, spec: ModelSpec, described: dict[str, Any]) -> None:
    """Append the zip to the file. `described` is added to what mobileq says of the model.

    Stored, not deflated, for MediaPipe refuses a zip with anything else in it (1.2.3).
    Ultralytics' app unpacks what it finds from the last header on (0.6), its older loaders read
    the entry that the directory names first, and that as a Python literal (8.0 to 8.3): so
    metadata.json is the last entry, is named first, and has no null, true or false.
    """
    own = {"model": embedded(spec), **described}
    texts = {
        **{each.name: each.text for each in label_files(spec)},
        _OWN: json.dumps(own, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        _COMMON: json.dumps(_common(spec), indent=1, sort_keys=True, ensure_ascii=False),
    }
    # Mode "a" on a file that is no zip: the archive goes to its end, offsets count from its head.
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name, _FIXED_TIME), text)  # same input, same bytes
        archive.filelist.reverse()


def _common(spec: ModelSpec) -> dict[str, Any]:
    found = {**common_entries(spec), "batch": spec.batch}
    if spec.preprocess:
        found["channels"] = spec.preprocess.channels
    return found


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata.json appended to the file, with mobileq's own under its key.

    Where nothing can be read, {}.
    """
    found, own = _json(path, _COMMON), _json(path, _OWN)
    return {**found, KEY: own} if own else found


def _json(path: Path, name: str) -> dict[str, Any]:
    text = _entry(path, re.compile(re.escape(name)), _LIMIT)
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
