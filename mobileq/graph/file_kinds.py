"""Tells files that are not ONNX by their first bytes, to say what they are and what to do.

The identifiers are those of the formats' own documents: FlatBuffers keeps a four-letter identifier
at byte 4, the other formats start with theirs.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class FileKind(NamedTuple):
    """What a file is instead of an ONNX model, and the remedy."""

    what: str
    hint: str


_EXPORT_FROM_PYTORCH = (
    "Export it first: for Ultralytics `yolo export model=FILE format=onnx`, else torch.onnx.export."
)
_FROM_SOURCE = "Give the ONNX model it was made from."
_ZIP = FileKind("a zip archive", "Unpack it and give the .onnx file in it.")

_MAGIC: tuple[tuple[int, bytes, FileKind], ...] = (
    (4, b"ORTM", FileKind("a model in ONNX Runtime's own .ort format", _FROM_SOURCE)),
    (0, b"\x89HDF\r\n\x1a\n", FileKind("a Keras HDF5 file", "Convert it with tf2onnx first.")),
    (0, b"\x1f\x8b", FileKind("a gzip archive", "Unpack it and give the .onnx file in it.")),
    (0, b"\x80\x02", FileKind("a PyTorch (pickle) file", _EXPORT_FROM_PYTORCH)),
    (0, b"7767517", FileKind("an ncnn .param file", _FROM_SOURCE)),
    (0, b"ftrt", FileKind("a TensorRT engine", _FROM_SOURCE)),
    (0, b"<?xml", FileKind("an XML file, perhaps an OpenVINO model", _FROM_SOURCE)),
    (0, b"<net", FileKind("an OpenVINO model", _FROM_SOURCE)),
    (0, b"<!DOCTYPE", FileKind("a web page", "The download failed; fetch the file again.")),
    (0, b"<html", FileKind("a web page", "The download failed; fetch the file again.")),
    (
        0,
        b"version https://git-lfs",
        FileKind("a Git LFS pointer, not the file itself", "Run `git lfs pull` in its repository."),
    ),
)

_SUFFIXES = {
    ".pt": FileKind("a PyTorch file", _EXPORT_FROM_PYTORCH),
    ".pth": FileKind("a PyTorch file", _EXPORT_FROM_PYTORCH),
}


def foreign_kind(data: bytes, path: Path) -> FileKind | None:
    """What `data` is if it is known not to be ONNX, else None. Contents come before the name."""
    if data.startswith(b"PK\x03\x04"):
        # torch.save writes a zip whose first entries are `<name>/data.pkl` and `.../version`.
        is_torch = b"/data.pkl" in data[:4096] or path.suffix.lower() in (".pt", ".pth")
        return FileKind("a PyTorch file", _EXPORT_FROM_PYTORCH) if is_torch else _ZIP
    for offset, magic, kind in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return kind
    return None


def kind_by_suffix(path: Path) -> FileKind | None:
    """What the file's name promises: where it can't be parsed."""
    return _SUFFIXES.get(path.suffix.lower())
