"""Paths as callers write them."""

from __future__ import annotations

import os
from pathlib import Path

type StrPath = str | os.PathLike[str]


def optional_path(path: StrPath | None) -> Path | None:
    """A Path; None stays None."""
    return None if path is None else Path(path)
