"""ConvTranspose whose output_padding is larger than its pads behind: zeros behind, then the bias.

What lies behind the last window gets nothing of it: output_padding takes from the pads first, and
what is left are zeros (ONNX operator schema, ConvTranspose 11). onnx2tf 2.6.9 leaves them out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given, rank = attributes(node), edit.rank(node.input[0])
    if rank is None or given.get("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in given:
        return "its pads follow from its output, or its rank is not known"
    axes = rank - 2
    pads = given.get("pads", [0] * 2 * axes)
    more = given.get("output_padding", [0] * axes)
    beyond = [max(each - pad, 0) for each, pad in zip(more, pads[axes:], strict=True)]
    if not any(beyond):
        return "its pads hold it"
    less = [max(pad - each, 0) for each, pad in zip(more, pads[axes:], strict=True)]
    made = edit.copy(node, ("output_padding",), pads=[*pads[:axes], *less])
    bias = node.input[2] if len(node.input) > 2 else ""
    made.input[:] = node.input[:2]
    made.output[:] = [edit.fresh("convtranspose")]
    behind = edit.constant([0] * (rank + 2) + beyond, "int64")
    value = edit.emit("Pad", [made.output[0], behind])
    if bias:
        wide = edit.emit("Reshape", [bias, edit.constant([1, -1, *[1] * axes], "int64")])
        value = edit.emit("Add", [value, wide])
    edit.emit("Identity", [value], node.output)
    return None


RULE = Rule("output_padding", frozenset({"ConvTranspose"}), _apply)
