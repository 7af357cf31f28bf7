"""Finds YOLOv5's anchors in the constants of a graph that decodes its boxes itself.

The decoding multiplies `(2 * sigmoid(wh))^2` by the anchors in pixels, once per stride:
a constant that ends in pairs, [1, anchors, 1, 1, 2] or [1, anchors, h, w, 2] with the same pair in
every cell. The stride is the input height over the height of the product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.index import GraphIndex

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from onnx import NodeProto

Anchors = tuple[tuple[float, float], ...]


def find_anchors(index: GraphIndex, height: int) -> dict[int, Anchors]:
    """Stride -> (width, height) of each anchor in input pixels, smallest stride first.

    Args:
        height: Of the picture, in pixels.
    """
    found: dict[int, Anchors] = {}
    for node in index.nodes:
        anchors = _anchors_of(index, node)
        shape = index.shapes.get(node.output[0], ()) if anchors else ()
        if anchors and len(shape) == 5 and shape[2] > 0 and height % shape[2] == 0:
            found[height // shape[2]] = anchors
    return dict(sorted(found.items()))


def _anchors_of(index: GraphIndex, node: NodeProto) -> Anchors | None:
    """The anchors if `node` multiplies a square by them."""
    if node.op_type != "Mul" or len(node.input) != 2:
        return None
    for squared, constant in (tuple(node.input), tuple(reversed(node.input))):
        if constant in index.constants and _is_square(index, squared):
            return _pairs(index.constants[constant])
    return None


def _is_square(index: GraphIndex, name: str) -> bool:
    """`Pow(x, 2)` or `Mul(x, x)`."""
    node = index.made_by.get(name)
    if node is None:
        return False
    if node.op_type == "Pow":
        exponent = index.constants.get(node.input[1])
        return exponent is not None and exponent.size == 1 and bool(exponent.item() == 2.0)
    return bool(node.op_type == "Mul" and node.input[0] == node.input[1])


def _pairs(constant: npt.NDArray[np.generic]) -> Anchors | None:
    """One pair per anchor from [1, anchors, h, w, 2] whose cells are all alike."""
    if constant.ndim != 5 or constant.shape[0] != 1 or constant.shape[4] != 2 or not constant.size:
        return None
    first = constant[:, :, :1, :1, :]
    if constant.dtype.kind != "f" or not bool((constant == first).all()):
        return None
    return tuple((float(w), float(h)) for w, h in first.reshape(-1, 2).tolist())
