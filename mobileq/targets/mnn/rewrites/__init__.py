"""Nodes that MNN 3.6.1 gets wrong, written with others that it gets right.

One rule in each file, as in `mobileq.graph.rewrites`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto

_WITH_BODIES = ("CenterCropPad", "GroupNormalization")
"""Operators that MNN 3.6.1 has no counterpart of, and that the standard defines by others."""


def rewritten_for_mnn(model: ModelProto) -> ModelProto:
    """A copy without such nodes; the model itself where there is none."""
    from mobileq.graph.rewrites.engine import apply_rules
    from mobileq.graph.rewrites.function_bodies import inline_bodies
    from mobileq.targets.mnn.rewrites import (
        dropout,
        gelu,
        gemm_transpose,
        half_even,
        less,
        log_softmax,
        mean,
        pool_strides,
        positive_indices,
        shrink,
    )

    modules = (
        dropout, gelu, gemm_transpose, half_even, less, log_softmax, mean, pool_strides,
        positive_indices, shrink,
    )  # fmt: skip
    return apply_rules(inline_bodies(model, _WITH_BODIES), [module.RULE for module in modules])
