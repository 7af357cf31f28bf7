"""What `mobileq.graph.rewrites` writes where no converter knows it, MNN 3.6.1 needs more often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites import (
    bit_shift,
    bitwise_tables,
    deform_conv,
    grid_sample,
    pool_indices,
    recurrent_steps,
)
from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _nearest(node: NodeProto, edit: Editing) -> str | None:
    """Halves go to other neighbours."""
    if attributes(node).get("mode", "linear") != "nearest":
        return "MNN knows it"
    return grid_sample.write(node, edit)


RULES = (
    Rule("bit_shift", bit_shift.RULE.ops, bit_shift.write),
    Rule("bitwise_tables", bitwise_tables.RULE.ops, bitwise_tables.write),
    Rule("deform_conv", deform_conv.RULE.ops, deform_conv.write),
    Rule("grid_sample", grid_sample.RULE.ops, _nearest),
    Rule("pool_indices", pool_indices.RULE.ops, pool_indices.write),
    Rule("recurrent_steps", recurrent_steps.RULE.ops, recurrent_steps.write),
)
