"""MediaPipe, which brings packages of its own: they stand apart, and a child process takes them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest

_HERE = Path(__file__).parent
_REQUIREMENTS = _HERE / "requirements.txt"
_BUILD = Path(__file__).resolve().parents[4] / "build"


def packages() -> Path:
    """A folder with the requirements in it, fetched once; skips where they can't be."""
    key = hashlib.sha256(_REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = _BUILD / f"mediapipe-{key}"
    if folder.exists():
        return folder
    scratch = folder.with_name(f"{folder.name}.{os.getpid()}")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    done = subprocess.run(
        [*install, "--target", str(scratch), "-r", str(_REQUIREMENTS)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        shutil.rmtree(scratch, ignore_errors=True)
        pytest.skip(f"pip cannot fetch mediapipe: {done.stderr[-300:]}")
    try:
        scratch.rename(folder)
    except OSError:  # another worker fetched them meanwhile
        shutil.rmtree(scratch)
        if not folder.exists():
            raise
    return folder


class MediaPipe:
    """A process that answers the questions of `answering.py`, one after the other."""

    def __init__(self, packages: Path, log: Path) -> None:
        self._log = log
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(_HERE / "answering.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONPATH": str(packages)},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def ask(self, question: str, model: Path, **more: Any) -> Any:
        """The answer; RuntimeError with what went wrong there."""
        fields = {"question": question, "model": str(model), **more}
        self._process.stdin.write(json.dumps(fields, default=np.ndarray.tolist) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._log.read_text()[-2000:]
        found = json.loads(line)
        if "error" in found:
            raise RuntimeError(found["error"])
        return found["answer"]
