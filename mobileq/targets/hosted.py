"""What runs in child processes: converters, and any runner. What a wrong file does stays there."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


class KeptChild:
    """A child that converts, kept from one conversion to the next: to start one takes as long as
    most of its work. It ends where a request fails, for it may have crashed."""

    def __init__(self) -> None:
        self._child: Child | None = None

    @contextmanager
    def asked(self, start: Callable[[], Child]) -> Iterator[Child]:
        """The child, started where there is none."""
        if self._child is None:
            self._child = start()
        try:
            yield self._child
        except MobileqError:
            self.close()
            raise

    def close(self) -> None:
        """End it; safe to call where there is none."""
        child, self._child = self._child, None
        if child is not None:
            child.close()


_idle: dict[str, list[Child]] | None = None
"""Of each tool, children whose runner was closed in good order; None where nobody keeps them."""


@contextmanager
def kept_runners() -> Iterator[None]:
    """Within the block a runner leaves its child to the next of its tool: to start one takes longer
    than a dozen inferences. One that failed, or was disturbed, ends as elsewhere.

    Make the first runners in a thread that lasts as long as the block: see `Child`.
    """
    global _idle
    outer, _idle = _idle, {}
    try:
        yield
    finally:
        inner, _idle = _idle, outer
        for child in (each for children in inner.values() for each in children):
            child.close()


class HostedRunner:
    """The parent's side. See `mobileq.targets.base.Runner`.

    Args:
        runner: `module:Class` of a runner made of (path, inputs, outputs, **options).
        tool: The runtime's name, for messages.
        disturbed: See `Child`.
    """

    def __init__(
        self,
        runner: str,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        *,
        tool: str,
        disturbed: bool = False,
        **options: Any,
    ) -> None:
        self.inputs, self.outputs = inputs, outputs
        self._tool, self._is_kept, self._is_closed = tool, not disturbed, False
        self._child = self._started(f"running {path.name}", disturbed)
        fields = {
            "runner": runner,
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

    def _started(self, stage: str, disturbed: bool) -> Child:
        idle = (_idle or {}).get(self._tool, []) if self._is_kept else []
        while idle:
            child = idle.pop()
            if child.is_running:
                child.turn_to(stage)
                return child
            child.close()
        return Child(
            "mobileq.targets.hosted:RunnerHandler",
            stage=stage,
            tool=self._tool,
            advice="The file may be damaged: convert it again, or use another precision.",
            disturbed=disturbed,
        )

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
            _idle.setdefault(self._tool, []).append(self._child)


class RunnerHandler:
    """The child's side."""

    _runner: Runner

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
