"""What native libraries print goes to the log, and none of it to the person."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import pytest

from .commands import process


def _with_a_damaged_profile(picture: Path, target: Path) -> Path:
    """A PNG that libpng warns of."""
    _, encoded = cv2.imencode(".png", cv2.imread(str(picture)))
    content = encoded.tobytes()
    chunk = b"iCCP" + b"x\0\0" + zlib.compress(b"nonsense" * 20)
    inserted = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    target.write_bytes(content[:33] + inserted + content[33:])
    return target


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_libpng_warns_in_the_log(
    demo: Path, made_bundle: Path, tmp_path: Path, json: tuple[str, ...]
) -> None:
    picture = _with_a_damaged_profile(demo / "validation/images/000.jpg", tmp_path / "a.png")
    environment = {**os.environ, "MOBILEQ_LOG_DIR": str(tmp_path / "logs")}
    done = process("detect", made_bundle, picture, *json, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    (log,) = (tmp_path / "logs").iterdir()
    assert "libpng warning: iCCP" in log.read_text()
