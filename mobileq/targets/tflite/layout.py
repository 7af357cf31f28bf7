"""How the axes of a converted file's tensors relate to the ONNX model's."""

from __future__ import annotations

from itertools import permutations

_PREFERRED = ((0, 2, 3, 1), (0, 3, 1, 2), (0, 2, 1))
"""NCHW to NHWC, back, and channels swapped with anchors: what converters do."""


def find_permutation(model: tuple[int, ...], file: tuple[int, ...]) -> tuple[int, ...] | None:
    """The axis order with which `model`'s shape becomes `file`'s, the identity preferred.

    Returns None where no order does. Where several do (equal axes), numbers decide later: the
    comparison with ONNX Runtime fails if this choice was wrong.

    >>> find_permutation((1, 3, 640, 640), (1, 640, 640, 3))
    (0, 2, 3, 1)
    """
    if len(model) != len(file) or sorted(model) != sorted(file):
        return None
    identity = tuple(range(len(model)))
    for order in (identity, *_PREFERRED, *permutations(identity)):
        if len(order) == len(model) and tuple(model[axis] for axis in order) == file:
            return order
    return None


def inverse(permutation: tuple[int, ...]) -> tuple[int, ...]:
    """The order that undoes `permutation`."""
    return tuple(permutation.index(axis) for axis in range(len(permutation)))
