"""The scales and zero-points that a model came with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.outline import constants, graph_inputs
from mobileq.spec import QuantParams, Spec, TensorRange

if TYPE_CHECKING:
    from onnx import ModelProto


class GivenQuantization(Spec, frozen=True, kw_only=True):
    """The scales a model came with, by its tensors' names.

    `ranges` holds, for each activation, the real values that its smallest and largest 8-bit code
    stand for: `(max - min) / 255` is its scale again, to the last bit where computed in doubles.
    `constants` holds the parameters of weights (`axis`: the dimension that has a scale per index).
    A tensor in neither had no pair. `unquantized` names what the convolutions and matrix products
    give whose weights had none: they are meant to stay float.
    """

    ranges: dict[str, TensorRange]
    constants: dict[str, QuantParams]
    unquantized: tuple[str, ...] = ()


def remaining(given: GivenQuantization, model: ModelProto) -> GivenQuantization:
    """What of it still holds after the model was simplified.

    A batch normalization that was folded into a convolution has changed its weights.
    """
    import numpy as np

    stored = constants(model.graph)
    made = {name for node in model.graph.node for name in node.output}
    made.update(value.name for value in graph_inputs(model))

    def holds(name: str, found: QuantParams) -> bool:
        if name not in stored:
            return False
        value = stored[name]
        scale = np.array(found.scale)
        if found.axis is not None:
            if value.ndim <= found.axis or value.shape[found.axis] != len(scale):
                return False
            scale = scale.reshape([-1 if at == found.axis else 1 for at in range(value.ndim)])
        codes = value / scale
        return bool(np.abs(codes - np.round(codes)).max(initial=0.0) < 0.01)

    return GivenQuantization(
        ranges={name: found for name, found in given.ranges.items() if name in made},
        constants={name: found for name, found in given.constants.items() if holds(name, found)},
        unquantized=given.unquantized,
    )
