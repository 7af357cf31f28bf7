"""Nodes that runtimes refuse or get wrong, written with others that they get right.

One rule in each file; its docstring states the algebra. The one door is `rewritten_graph`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto


def rewritten_graph(model: ModelProto) -> ModelProto:
    """A copy without the nodes that a rule knows how to write otherwise; the model itself where
    there is none. Whoever calls compares the numbers.

    Args:
        model: With static input shapes, and shapes inferred.
    """
    from mobileq.graph.rewrites import group_norm
    from mobileq.graph.rewrites.engine import apply_rules
    from mobileq.graph.rewrites.function_bodies import inline_bodies
    from mobileq.graph.rewrites.registry import RULES

    return apply_rules(inline_bodies(apply_rules(model, (group_norm.RULE,))), RULES)
