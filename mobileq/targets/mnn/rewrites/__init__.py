"""Nodes that MNN 3.6.1 lacks or gets wrong, written with others that it gets right.

One rule in each file, as in `mobileq.graph.rewrites`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto

_WITH_BODIES = (
    "GroupNormalization",
    *("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"),
)
"""Operators that the standard defines by others. MNN 3.6.1 has no counterpart of the first; of the
losses it gives no second output, and counts what is to be ignored when it takes the mean."""


def rewritten_for_mnn(model: ModelProto) -> ModelProto:
    """A copy without such nodes; the model itself where there is none."""
    from mobileq.graph.rewrites.engine import apply_rules
    from mobileq.graph.rewrites.function_bodies import inline_bodies
    from mobileq.targets.mnn.rewrites.registry import RULES
    from mobileq.targets.mnn.rewrites.wide_ends import with_wide_ends

    return apply_rules(inline_bodies(with_wide_ends(model), _WITH_BODIES), RULES)
