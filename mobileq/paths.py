"""Paths as callers write them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_NOT_EVERYWHERE = frozenset('/\\:<>"|?*')
_LONGEST_NAME = 120
"""Bytes: a file system takes 255, and `-int16x8.tflite` or the like is put behind."""

PROJECT_NAME = "mobileq.toml"
"""The file with the options of commands."""

type StrPath = str | os.PathLike[str]


def optional_path(path: StrPath | None) -> Path | None:
    """A Path; None stays None."""
    return None if path is None else Path(path)


def model_name(path: Path) -> str:
    """What a model is called, and its files are named after: the stem of its file's name.

    What is not printable, no text, or in names on some systems not allowed becomes an underscore.

    >>> model_name(Path("my:model\n.onnx"))
    'my_model_'
    """
    signs = [
        sign if sign.isprintable() and sign not in _NOT_EVERYWHERE else "_" for sign in path.stem
    ]
    name = "".join(signs).encode()[:_LONGEST_NAME].decode(errors="ignore")
    return name if name.strip(". ") else "model"


def native_path(path: StrPath) -> str:
    """The path, for bindings of C++ code, which take valid Unicode only: where it is none, that of
    a link in a temporary folder. For child processes, with which that folder goes."""
    text = os.fspath(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        link = os.path.join(tempfile.mkdtemp(), "model" + os.path.splitext(text)[1])
        os.symlink(os.path.abspath(text), link)
        return link
    return text
