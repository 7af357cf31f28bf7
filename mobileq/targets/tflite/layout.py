"""How the axes of a converted file's tensors relate to the ONNX model's."""

from __future__ import annotations

from itertools import permutations

from mobileq.graph.outline import DYNAMIC
from mobileq.spec import TensorSpec

Order = tuple[int, ...]
"""Of axes: `file_array = model_array.transpose(order)`."""

_USUAL: tuple[Order, ...] = (
    *((0, 2, 3, 1), (0, 3, 1, 2), (0, 2, 1)),
    *((0, 2, 3, 4, 1), (0, 4, 1, 2, 3)),
)
"""NCHW to NHWC, back, and channels swapped with anchors; NCDHW to NDHWC and back: what converters
do."""

CHANNELS_LAST = {len(order): order for order in ((0, 2, 1), (0, 2, 3, 1), (0, 2, 3, 4, 1))}
"""By the number of axes: how those of a convolution's tensors stand in a file."""


def fitting_orders(model: tuple[int, ...], file: tuple[int, ...]) -> tuple[Order, ...]:
    """The axis orders with which `model`'s shape becomes `file`'s, the likeliest first.

    They are the identity and what converters usually do, where any of those fits. Several fit where
    axes are equal: only the numbers tell which it is. Orders that differ in where they put axes of
    size 1 are the same, and one of them is given. A shape known only in part keeps its order.

    >>> fitting_orders((1, 3, 640, 640), (1, 640, 640, 3))
    ((0, 2, 3, 1),)
    >>> fitting_orders((1, 84, 84), (1, 84, 84))
    ((0, 1, 2), (0, 2, 1))
    """
    identity = tuple(range(len(model)))
    if DYNAMIC in model and len(model) == len(file):
        return (identity,)  # the file says 1 for what is known only when it runs
    if len(model) != len(file) or sorted(model) != sorted(file):
        return ()
    distinct: dict[tuple[int, ...], Order] = {}
    for order in (identity, *_USUAL):
        if len(order) == len(model) and _reordered(model, order) == file:
            distinct.setdefault(tuple(axis for axis in order if model[axis] != 1), order)
    if distinct:
        return tuple(distinct.values())
    return (next(order for order in permutations(identity) if _reordered(model, order) == file),)


def file_order(spec: TensorSpec) -> Order:
    """The order that an input of the ONNX model gets in the file.

    NCHW becomes NHWC. All else stays, and so does what is of equal axes (a [1, 8, 8, 8]): the
    file's shape would not tell.
    """
    identity = tuple(range(len(spec.shape)))
    if len(spec.shape) != 4 or spec.layout == "NHWC":
        return identity
    swapped = _USUAL[0]
    return swapped if _reordered(spec.shape, swapped) != spec.shape else identity


def _reordered(shape: tuple[int, ...], order: Order) -> tuple[int, ...]:
    return tuple(shape[axis] for axis in order)


def inverse(order: Order) -> Order:
    """The order that undoes `order`."""
    return tuple(order.index(axis) for axis in range(len(order)))
