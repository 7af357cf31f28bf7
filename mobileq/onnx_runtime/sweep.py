"""One model and many inputs, some of them at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.onnx_runtime import SessionOptions, open_session
from mobileq.parallel import in_parallel

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    Feeds = Mapping[str, NDArray[Any]]


def sweep(
    model: ModelProto | bytes | Path,
    samples: Iterable[Feeds],
    threads: int = 2,
    pause: int = 0,
) -> Iterator[tuple[Feeds, dict[str, Any]]]:
    """Each of the inputs and all outputs, for models that reduce much of what they compute.

    Runs of one thread each, two at a time, take little more than half as long as one after the
    other with two: many small nodes are not worth sharing out. Reductions come right after what
    they reduce.

    Args:
        samples: Up to `3 * threads + 1` are in memory at a time.
        threads: How many are run at the same time.
        pause: After so many samples none is run before the next is asked for.

    Raises:
        SessionError: ONNX Runtime can't load or run the model.
        InputError: It takes too much memory.
        ToolError: ONNX Runtime crashed.
    """
    session = open_session(model, SessionOptions(threads=1, readers_first=True))
    names = session.output_names

    def run(feeds: Feeds) -> dict[str, Any]:
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))

    yield from in_parallel(run, samples, threads, pause)
