"""What native libraries print goes to the log, and none of it to the person."""

from __future__ import annotations

import os
import random
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


def _damaged_video(demo: Path, target: Path) -> Path:
    """An MP4 that ffmpeg decodes, and complains of."""
    video = cv2.VideoWriter(str(target), cv2.VideoWriter_fourcc(*"mp4v"), 10, (160, 120))
    for at in range(6):
        picture = cv2.imread(str(demo / f"validation/images/{at:03}.jpg"))
        video.write(cv2.resize(picture, (160, 120)))
    video.release()
    content = bytearray(target.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = random.Random(0).randbytes(400)
    target.write_bytes(content)
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


def test_ffmpeg_complains_in_the_log(demo: Path, made_bundle: Path, tmp_path: Path) -> None:
    video = _damaged_video(demo, tmp_path / "a.mp4")
    environment = {**os.environ, "MOBILEQ_LOG_DIR": str(tmp_path / "logs")}
    done = process("detect", made_bundle, video, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    (log,) = (tmp_path / "logs").iterdir()
    assert "[mpeg4 @" in log.read_text()
