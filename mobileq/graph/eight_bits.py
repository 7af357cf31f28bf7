"""How real values become 8-bit integers: the same scales and zero-points for every target."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from mobileq.graph.outline import attribute
from mobileq.spec import QuantParams, TensorRange

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from onnx import NodeProto

    Array = npt.NDArray[Any]
    Doubles = npt.NDArray[np.float64]

LARGEST_WEIGHT: Final = 127
_LEVELS = 255
_LARGE_SHARE, _MANY_WEIGHTS = 0.01, 4096
_LARGEST_BIAS = 2**30
"""Leaves room for the sum that it is added to."""
_LARGEST_CODE = 128
"""What lies beyond can't be held. -128 itself becomes -127, which is one step: kernels are free to
rely on -127..127."""


def enough_for_codes(total: int) -> int:
    """How many weights a convolution that stays float must have to have them in 8 bits after all,
    on every target, where the whole model has `total` of them.

    Float is needed for the activations first. Smaller ones have float16 weights; either are widened
    once, at loading.
    """
    return max(math.ceil(_LARGE_SHARE * total), _MANY_WEIGHTS)


def affine(found: TensorRange) -> tuple[float, int]:
    """(scale, zero-point of uint8) of a range, widened to hold zero."""
    low, high = min(found.min, 0.0), max(found.max, 0.0)
    scale = max((high - low) / _LEVELS, 1e-9)
    return scale, min(max(round(-low / scale), 0), _LEVELS)


def channel_axis(node: NodeProto, rank: int) -> int:
    """The axis of a weighty node's weights that counts output channels.

    With groups, a transposed convolution has those of one group there.
    """
    if node.op_type == "Gemm":
        transposed = attribute(node, "transB")
        return 0 if transposed is not None and transposed.i else 1
    return {"Conv": 0, "ConvTranspose": 1}.get(node.op_type, rank - 1)


def along(values: Array, axis: int | None, rank: int) -> Array:
    """One value for each index of an axis, to be broadcast against a tensor; None: one for all."""
    shape = [1] * rank if axis is None else [-1 if at == axis else 1 for at in range(rank)]
    return values.reshape(shape)


def holding_bias(scale: Doubles, bias: Array, step: float) -> Doubles:
    """The scales of weights, larger where the bias needs it.

    A bias is an int32 in steps of the input's scale times the weights'. For a channel that is
    pruned or dead (weights of nothing, a bias of something: a class that was never trained) these
    are so small that the bias does not fit.

    Args:
        step: The input's scale.
    """
    import numpy as np

    needed = np.abs(bias).astype(np.float64) / max(step * _LARGEST_BIAS, 1e-30)
    return np.maximum(scale, needed)


def given_scale(value: Array, axis: int, given: QuantParams) -> Doubles | None:
    """The scale of each channel of weights that came quantized, [channels].

    None where the kernels can't have them: along another axis, or with codes beyond -127..127.
    """
    import numpy as np

    if given.axis not in (None, axis):
        return None
    scale = np.broadcast_to(np.array(given.scale), (value.shape[axis],))
    codes = np.round(value / along(scale, axis, value.ndim))
    return scale if np.abs(codes).max(initial=0.0) <= _LARGEST_CODE else None
