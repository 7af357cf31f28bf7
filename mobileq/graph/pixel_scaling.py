"""Tells whether a graph brings pixels to a scale itself, as Keras's `Rescaling` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.index import GraphIndex
from mobileq.graph.op_facts import REARRANGING

if TYPE_CHECKING:
    from onnx import NodeProto

_LARGEST_FACTOR = 0.05
"""Pixels times more than this are far outside what layers are trained with. Of 1/255 and ImageNet's
deviations it is 0.017, and where 0 to 1 is normalized 4.4."""


def scales_pixels(index: GraphIndex, name: str) -> bool:
    """Whether the input's values are divided by much, before anything but constants meets them."""
    factor = 1.0
    while True:
        takers = [node for node in index.nodes if name in node.input]
        if len(takers) != 1:
            break
        (node,) = takers
        step = _factor(index, node, name)
        if step is None:
            break
        factor, name = factor * step, node.output[0]
    return 0.0 < factor <= _LARGEST_FACTOR


def _factor(index: GraphIndex, node: NodeProto, name: str) -> float | None:
    """What the node multiplies values by, at most; None of others than affine ones."""
    import numpy as np

    if node.op_type in REARRANGING or node.op_type == "Cast":
        return 1.0
    if node.op_type not in ("Add", "Sub", "Mul", "Div"):
        return None
    other = next((each for each in node.input if each != name), "")
    constant = index.constant_value(other)
    if constant is None or (node.op_type == "Div" and node.input[0] != name) or not constant.size:
        return None
    if node.op_type in ("Add", "Sub"):
        return 1.0
    with np.errstate(divide="ignore"):
        sizes = np.abs(constant.astype(np.float64))
        return float((1.0 / sizes if node.op_type == "Div" else sizes).max())
