"""What every benchmark program is told, and what comes of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mobileq.device.phone import quoted
from mobileq.device.runner.client import Accelerator


class NoTimesError(Exception):
    """A program's output has no times that could be told: why, as a sentence."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One run of a program.

    Attributes:
        model: The file, on the phone.
        threads: On the CPU; 0: one for each processor.
        runs, warmup: That count, and before them.
    """

    model: str
    delegate: Accelerator
    threads: int
    runs: int
    warmup: int

    @property
    def shell_threads(self) -> str:
        """As a word of the phone's shell."""
        return str(self.threads) if self.threads else '"$#"'

    @property
    def count_processors(self) -> str:
        """What must run before `shell_threads`: toybox has `nproc` since Android 8 only."""
        return "" if self.threads else "set -- /sys/devices/system/cpu/cpu[0-9]*; "

    @property
    def word(self) -> str:
        """`model`, as a word of the phone's shell."""
        return quoted(self.model)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Milliseconds; None is what a program does not tell.

    Attributes:
        load_ms: Until the model was ready, with what a delegate prepares.
        first_ms: The first inference.
        preprocess_ms, postprocess_ms: Medians of what is around it.
        peak_bytes: Of the process; of a program's, by how much it grew.
        delegations: What delegates took of the model, in words.
    """

    mean_ms: float
    median_ms: float | None = None
    p95_ms: float | None = None
    first_ms: float | None = None
    load_ms: float | None = None
    preprocess_ms: float | None = None
    postprocess_ms: float | None = None
    peak_bytes: int | None = None
    delegations: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One kind of program.

    Attributes:
        title: In sentences.
        target: Whose files it runs.
        mark: Stands in the program and in no other.
        script: What becomes `./program` in the end (exec), in its folder in the phone's shell.
        read: What it printed, `delegate` being what it was asked for. Raises NoTimesError.
        delegates: That it can run on.
    """

    title: str
    target: str
    mark: bytes
    script: Callable[[Asked], str]
    read: Callable[[str, Accelerator], Measured]
    delegates: tuple[Accelerator, ...] = ("cpu", "gpu")


_MOST = 1e12
"""Microseconds of eleven days."""
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,9})?(?:e[+-]?[0-9]{1,2})?"
"""C++ writes 2950340 as 2.95034e+06."""


def number(pattern: str, text: str) -> float | None:
    """The number at `#` in the last place that a pattern matches; None where there is none.

    >>> number("avg=#", "avg=1.5 avg=2.95034e+06")
    2950340.0
    """
    found = re.findall(pattern.replace("#", f"({_NUMBER})(?![0-9.e])"), text)
    value = float(found[-1]) if found else _MOST
    return value if value < _MOST else None


def no_times(text: str) -> NoTimesError:
    """That an output holds no times, with the last that it says."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(?:ERROR|CANNOT LINK|FATAL)\b", line)]
    said = (errors or lines or ["nothing"])[0 if errors else -1]
    shown = "".join(each if each.isprintable() else "?" for each in said[:200])
    return NoTimesError(f"it gave no times, and said: {shown.rstrip('.')}")
