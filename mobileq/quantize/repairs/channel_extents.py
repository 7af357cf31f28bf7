"""How far the channels of an activation reach, and their mean squares, over a few samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mobileq.onnx_runtime.sweep import sweep
from mobileq.progress import Progress, tracked
from mobileq.quantize.reductions import Reductions
from mobileq.quantize.repairs.spans import Channels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto

    Feeds = Mapping[str, NDArray[Any]]
    Vector = NDArray[np.float64]

_SILENT: Final = -4.0
"""Below it x * sigmoid(x) is nearly nothing (-0.07), and x * hardsigmoid(x) is 0: what a channel
has there needs no levels of its own."""


@dataclass(frozen=True, eq=False)
class Extent:
    """Per channel of a tensor: how far from zero it matters, and its mean square."""

    reach: Vector
    power: Vector

    def scaled(self, factors: Vector) -> Extent:
        """Of the channels times `factors`."""
        return Extent(self.reach * factors, self.power * factors**2)


def channel_extents(
    model: ModelProto, channels: Channels, samples: Iterable[Feeds], progress: Progress
) -> dict[str, Extent]:
    """Of what each span begins with, and what its users take, by tensor, over the samples."""
    import numpy as np

    if not channels.spans:
        return {}
    taken = {channels.taken(user) for span in channels.spans for user in span.users}
    gated = {span.source for span in channels.spans if span.gates}
    sources = {span.source for span in channels.spans}
    runs = sweep(_measured(model, sorted(taken | sources)), samples)
    low: dict[str, Vector] = {}
    high: dict[str, Vector] = {}
    power: dict[str, list[Vector]] = {}
    for _, outputs in tracked(runs, progress, "Measuring channels", None):
        for name, value in outputs.items():
            kind, tensor = name.split(":", 1)
            flat = value.reshape(-1).astype(np.float64)
            if kind == "low":
                low[tensor] = np.minimum(low.get(tensor, flat), flat)
            elif kind == "high":
                high[tensor] = np.maximum(high.get(tensor, flat), flat)
            else:
                power.setdefault(tensor, []).append(flat)
    found = {}
    for tensor, squares in power.items():
        bottom = low[tensor]
        if tensor in gated:
            bottom = np.maximum(bottom, _SILENT)
        found[tensor] = Extent(np.maximum(high[tensor], -bottom), np.mean(squares, axis=0))
    return found


def _measured(model: ModelProto, tensors: Iterable[str]) -> ModelProto:
    """A model that gives the tensors' extremes and mean squares per channel, and nothing else."""
    from onnx import ModelProto, helper

    made = ModelProto()
    made.CopyFrom(model)
    del made.graph.output[:]
    outputs = Reductions(made)
    for tensor in tensors:
        outputs.add("ReduceMin", tensor, f"low:{tensor}")
        outputs.add("ReduceMax", tensor, f"high:{tensor}")
        squares = f"squares:{tensor}"
        made.graph.node.append(helper.make_node("Mul", [tensor, tensor], [squares]))
        outputs.add("ReduceMean", squares, f"power:{tensor}")
    return made
