"""How far the channels of an activation reach, and their mean squares, over a few samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mobileq.onnx_runtime import SessionOptions, open_session
from mobileq.progress import Progress, tracked
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
_AXES: Final = "mobileq/axes"
_AXES_ARE_INPUT: Final = 18
"""The opset since which reductions take their axes as an input."""


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
    session = open_session(_measured(model, sorted(taken | sources)), SessionOptions())
    names = session.output_names
    low: dict[str, Vector] = {}
    high: dict[str, Vector] = {}
    power: dict[str, list[Vector]] = {}
    for feeds in tracked(samples, progress, "Measuring channels", None):
        for name, value in zip(names, session.run(names, dict(feeds)), strict=True):
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
    import numpy as np
    from onnx import ModelProto, TensorProto, helper, numpy_helper

    made = ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    del graph.output[:]
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    graph.initializer.append(numpy_helper.from_array(np.array([0, 2, 3], np.int64), _AXES))

    def reduce(reduction: str, tensor: str, name: str) -> None:
        if opset >= _AXES_ARE_INPUT:
            node = helper.make_node(reduction, [tensor, _AXES], [name], keepdims=0)
        else:
            node = helper.make_node(reduction, [tensor], [name], axes=[0, 2, 3], keepdims=0)
        graph.node.append(node)
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))

    for tensor in tensors:
        reduce("ReduceMin", tensor, f"low:{tensor}")
        reduce("ReduceMax", tensor, f"high:{tensor}")
        squares = f"squares:{tensor}"
        graph.node.append(helper.make_node("Mul", [tensor, tensor], [squares]))
        reduce("ReduceMean", squares, f"power:{tensor}")
    return made
