"""Layers are revised in a child, in which they run: of 48 samples tens of gigabytes of activations
went through pipes, and took half of the time."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mobileq.external.child import Child
from mobileq.progress import Progress, tracked
from mobileq.protobuf import write_model
from mobileq.spec import TensorRanges

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    Feeds = Mapping[str, NDArray[Any]]


def revised(
    model: ModelProto,
    samples: Iterable[Feeds],
    ranges: TensorRanges,
    keep_float: Collection[str],
    *,
    repair: str,
    stage: str,
    progress: Progress,
) -> ModelProto:
    """The model after a repair of `handler.REVISIONS`.

    Args:
        model: Left as it is.
        samples: A few inputs, the last of which are used.
        ranges, keep_float: See `Walk`.

    Raises:
        As `Child.request`.
    """
    import onnx

    with Child(
        "mobileq.quantize.repairs.handler:LayerHandler",
        stage="running the model layer by layer",
        tool="ONNX Runtime",
        advice="Leave out --repair, or use other precisions.",
    ) as child:
        path = child.folder / "model.onnx"
        write_model(model, path)
        begun, _ = child.request(
            "begin",
            {
                "model": str(path),
                "ranges": msgspec.to_builtins(ranges),
                "keep_float": list(keep_float),
                "repair": repair,
            },
        )
        for feeds in deque(samples, maxlen=begun["samples"]):
            child.request("sample", {}, feeds)
        for _ in tracked(range(begun["steps"]), progress, stage, begun["steps"]):
            child.request("step")
        child.request("write", {"path": str(path)})
        return onnx.load(path)
