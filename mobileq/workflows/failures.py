"""Files that can't be made right: which errors are theirs alone, and what is said of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from mobileq.errors import InputError, MobileqError, ToolError, UsageError, VerificationError
from mobileq.manifest import Failure
from mobileq.spec import Precision
from mobileq.staging import temporary_place

Stage = Literal["quantize", "convert", "run", "compare"]
_LEAST_SPACE = 8_000_000
"""Bytes on the temporary folder's disk below which a failure is put down to that."""


@dataclass(frozen=True)
class Attempt:
    """A file on its way."""

    target: str
    precision: Precision
    file_name: str


class Failures:
    """What went wrong so far, with the errors themselves."""

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._stages: dict[Exception, Stage] = {}
        self._errors: list[Exception] = []
        self.found: list[Failure] = []

    @contextmanager
    def at(self, stage: Stage) -> Iterator[None]:
        """What is raised in the block is an error of this stage, also when it is raised again."""
        try:
            yield
        except Exception as error:
            self._stages.setdefault(error, stage)
            raise

    @contextmanager
    def of(self, attempt: Attempt) -> Iterator[None]:
        """An error in the block that concerns no other file is noted, and not raised.

        What is wrong with the command, an optional package that is missing and a disk that is full
        are everybody's.
        """
        try:
            yield
        except (UsageError, OSError):
            raise
        except Exception as error:
            if isinstance(error, ToolError):
                require_disk_space()
            theirs = isinstance(error, (InputError, VerificationError, ToolError))
            if self._strict or (isinstance(error, MobileqError) and not theirs):
                raise
            self._errors.append(error)
            message, hint = _told(error)
            self.found.append(
                Failure(
                    target=attempt.target,
                    precision=attempt.precision,
                    file_name=attempt.file_name,
                    stage=self._stages.get(error, "convert"),
                    reason=message,
                    hint=hint,
                )
            )

    def raise_first(self) -> None:
        """Where nothing else is left to tell."""
        if self._errors:
            raise self._errors[0]


def _told(error: Exception) -> tuple[str, str]:
    """Message and hint; the traceback of a bug goes into the log file."""
    if isinstance(error, MobileqError):
        return error.message, error.hint
    if isinstance(error, MemoryError):
        return "There is not enough memory.", "Close other programs and try again."
    from mobileq.logfile import log_path, logger

    logger().error("one file of several", exc_info=error)
    return (
        f"mobileq failed in a way it should not; the details are in {log_path()}.",
        "Report it with that file.",
    )


def require_disk_space() -> None:
    """A tool that ran out of space says so in ways of its own, or not at all."""
    folder = temporary_place()
    if shutil.disk_usage(folder).free < _LEAST_SPACE:
        raise MobileqError(
            f"The disk of the temporary folder {folder} is full.",
            "Free some space, or name another folder in TMPDIR.",
        )
