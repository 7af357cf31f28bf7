"""What runs in child processes: converters, and any runner. What a wrong file does stays there."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.errors import MobileqError
from mobileq.external.child import Child
from mobileq.external.framing import Arrays, Fields
from mobileq.spec import TensorSpec
from mobileq.targets.base import Runner, Tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray


_idle: dict[str, list[Child]] | None = None
"""Children that nobody asks anything, by what they do; None where nobody keeps them."""


@contextmanager
def kept_children() -> Iterator[None]:
    """Within the block who is done with a child leaves it to the next of its kind: to start one
    takes longer than to convert a small model, or than a dozen inferences. A block within a block
    shares the outer one's.

    Make the first ones in a thread that lasts as long as the block: see `Child`.
    """
    global _idle
    if _idle is not None:
        yield
        return
    _idle = {}
    try:
        yield
    finally:
        inner, _idle = _idle, None
        for child in (each for children in inner.values() for each in children):
            child.close()


def _started(kind: str, handler: str, *, stage: str, tool: str, **options: Any) -> Child:
    """One that was left, told what is done now, or a new one; `options` as of `Child`."""
    idle = (_idle or {}).get(kind, [])
    while idle:
        child = idle.pop()
        if child.is_running:
            child.turn_to(stage, tool)
            return child
        child.close()
    return Child(handler, stage=stage, tool=tool, **options)


def _left(kind: str, child: Child) -> None:
    if _idle is None:
        child.close()
    else:
        _idle.setdefault(kind, []).append(child)


@dataclass(frozen=True)
class Hosting:
    """What it takes to run files of one runtime in processes of their own.

    Attributes:
        runner: `module:Class` of a runner made of (path, inputs, outputs, **options).
        tool: The runtime's name, for messages.
        library: The module of it that takes longest to import.
    """

    runner: str
    tool: str
    library: str

    def expect(self, files: int) -> None:
        """Within `kept_children`, have processes ready in which as many files can be run at a time,
        and one more that is disturbed. They start while who calls goes on: at the end of a search
        everybody waits for one that does."""
        if _idle is None:
            return
        for disturbed, count in ((False, files), (True, 1)):
            for child in [self.child("getting ready", disturbed) for _ in range(count)]:
                child.prompt("get_ready", {"runner": self.runner, "library": self.library})
                _left(self.kind(disturbed), child)

    def kind(self, disturbed: bool) -> str:
        """By which children are left."""
        return f"{self.tool}, disturbed" if disturbed else self.tool

    def child(self, stage: str, disturbed: bool) -> Child:
        """A child that was left, or a new one; `stage` as in `Child`."""
        return _started(
            self.kind(disturbed),
            "mobileq.targets.hosted:RunnerHandler",
            stage=stage,
            tool=self.tool,
            advice="The file may be damaged: convert it again, or use another precision.",
            disturbed=disturbed,
        )


class KeptChild:
    """A child that converts, kept from one conversion to the next. It ends where a request fails,
    for it may have crashed.

    Args:
        handler, advice: See `Child`.
    """

    def __init__(self, handler: str, advice: str) -> None:
        self._handler, self._advice = handler, advice
        self._child: Child | None = None

    def start(self, tool: str) -> None:
        """Have it ready before it is asked; `tool` as in `Child`."""
        if self._child is None:
            self._child = self._started("waiting", tool)

    def hint(self, method: str) -> None:
        """Tell it what comes next, if there is one."""
        if self._child is not None:
            self._child.prompt(method)

    @contextmanager
    def asked(self, stage: str, tool: str) -> Iterator[Child]:
        """The child, started where there is none; `stage` and `tool` as in `Child`."""
        if self._child is None:
            self._child = self._started(stage, tool)
        else:
            self._child.turn_to(stage, tool)
        try:
            yield self._child
        except MobileqError:
            self.end()
            raise

    def _started(self, stage: str, tool: str) -> Child:
        handler = self._handler
        return _started(handler, handler, stage=stage, tool=tool, advice=self._advice)

    def close(self) -> None:
        """Leave it to the next; safe to call where there is none."""
        child, self._child = self._child, None
        if child is not None:
            _left(self._handler, child)

    def end(self) -> None:
        """Let nobody have it any more."""
        child, self._child = self._child, None
        if child is not None:
            child.close()


class HostedRunner:
    """The parent's side. See `mobileq.targets.base.Runner`.

    Args:
        disturbed: See `Child`.
    """

    def __init__(
        self,
        hosting: Hosting,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        *,
        disturbed: bool = False,
        **options: Any,
    ) -> None:
        self.inputs, self.outputs = inputs, outputs
        self._is_kept, self._is_closed = True, False
        self._kind = hosting.kind(disturbed)
        self._child = hosting.child(f"running {path.name}", disturbed)
        fields = {
            "runner": hosting.runner,
            "path": str(path),
            "inputs": msgspec.to_builtins(inputs),
            "outputs": msgspec.to_builtins(outputs),
            "options": options,
        }
        try:
            self.interpreter: str = self._asked("open", fields)[0]["interpreter"]
        except BaseException:
            self._child.close()
            raise

    def _asked(
        self, command: str, fields: Fields | None = None, arrays: Tensors | None = None
    ) -> tuple[Fields, Arrays]:
        try:
            return self._child.request(command, fields, arrays)
        except BaseException:
            self._is_kept = False  # whatever its file did there, no other is to find anything of it
            raise

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """See `Runner.run`."""
        return self._asked("run", arrays=feeds)[1]

    def latency(self, feeds: Tensors, runs: int, warmup: int) -> list[float]:
        """See `Runner.latency`; measured inside the child."""
        fields = {"runs": runs, "warmup": warmup}
        seconds: list[float] = self._asked("latency", fields, feeds)[0]["seconds"]
        return seconds

    def close(self) -> None:
        """End the child, or leave it to another runner; safe to call twice."""
        if self._is_closed:
            return
        self._is_closed = True
        if _idle is None or not self._is_kept:
            self._child.close()
            return
        try:
            self._child.request("close")
        except MobileqError:
            self._child.close()
        else:
            _left(self._kind, self._child)


class RunnerHandler:
    """The child's side."""

    _runner: Runner

    def get_ready(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Import the `library` and the module of the `runner`."""
        for name in (fields["runner"].partition(":")[0], fields["library"]):
            importlib.import_module(name)
        return {}, {}

    def open(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Make the runner."""
        module, _, name = fields["runner"].partition(":")
        self._runner = getattr(importlib.import_module(module), name)(
            Path(fields["path"]),
            msgspec.convert(fields["inputs"], tuple[TensorSpec, ...]),
            msgspec.convert(fields["outputs"], tuple[TensorSpec, ...]),
            **fields["options"],
        )
        return {"interpreter": self._runner.interpreter}, {}

    def run(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """One inference."""
        return {}, self._runner.run(arrays)

    def latency(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Seconds of several inferences."""
        return {"seconds": self._runner.latency(arrays, fields["runs"], fields["warmup"])}, {}

    def close(self, fields: Fields, arrays: Arrays) -> tuple[Fields, Arrays]:
        """Free the runner."""
        self._runner.close()
        del self._runner
        return {}, {}
