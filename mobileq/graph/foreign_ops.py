"""Operators from outside the ONNX standard.

Nobody but the program they were written for can run them: ONNX's checker lets them pass unseen, and
ONNX Runtime refuses the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobileq.errors import InputError
from mobileq.graph.outline import all_nodes, node_label

if TYPE_CHECKING:
    from onnx import ModelProto

_STANDARD_DOMAINS = ("", "ai.onnx")
_RUNTIME_DOMAINS = ("com.microsoft", "ai.onnx.ml")
"""Known to ONNX Runtime, so the reference runs; the converters for phones do not know them."""


@dataclass(frozen=True, kw_only=True)
class ForeignOp:
    """A node whose operator is not of the ONNX standard."""

    label: str
    op_type: str
    domain: str
    runtime_only: bool
    """ONNX Runtime can run it although no converter can translate it."""


def foreign_ops(model: ModelProto) -> tuple[ForeignOp, ...]:
    """The nodes of other domains than "" and "ai.onnx", in graph order.

    Functions that the model itself defines are not foreign.
    """
    own = {(function.domain, function.name) for function in model.functions}
    return tuple(
        ForeignOp(
            label=node_label(node),
            op_type=node.op_type,
            domain=node.domain,
            runtime_only=node.domain in _RUNTIME_DOMAINS,
        )
        for node in all_nodes(model)
        if node.domain not in _STANDARD_DOMAINS and (node.domain, node.op_type) not in own
    )


def require_standard_ops(model: ModelProto) -> tuple[str, ...]:
    """Refuse operators nobody can run; returns notices about those only ONNX Runtime can.

    Raises:
        InputError: The model has a custom operator.
    """
    notices: dict[str, None] = {}
    for op in foreign_ops(model):
        if not op.runtime_only:
            raise InputError(
                f"The model has the custom operator {op.domain}::{op.op_type}"
                f" ({op.label}), which is not part of ONNX.",
                "Export the model again without it: for a TensorRT or mmcv plug-in, switch off the"
                " post-processing or plug-in option of the exporter.",
            )
        notices[
            f"The operator {op.domain}::{op.op_type} runs in ONNX Runtime but not on phones;"
            " export the model without ONNX Runtime's own optimisations."
        ] = None
    return tuple(notices)
