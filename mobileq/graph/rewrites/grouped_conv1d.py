"""Conv over one axis in groups: a convolution over two, the other of length 1.

y[n, m, 1, t] of x[n, c, 1, s] and w[m, c, 1, k] is y[n, m, t] (ONNX operator schema, Conv).
onnx2tf 2.6.9 knows groups over two axes only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if attributes(node).get("group", 1) == 1:
        return "it is in one group"
    return over_two_axes(node, edit)


def over_two_axes(node: NodeProto, edit: Editing) -> str | None:
    """Any convolution over one axis, be it transposed, with constant weights."""
    given, weights = attributes(node), edit.value(node.input[1])
    if edit.rank(node.input[0]) != 3:
        return "it is over more axes"
    if weights is None:
        return "its weights are not constant"
    if "output_shape" in given:
        return "its pads follow from its output"
    wide = dict(given)
    for name in ("kernel_shape", "strides", "dilations"):
        if name in given:
            wide[name] = [1, *given[name]]
    if "output_padding" in given:
        wide["output_padding"] = [0, *given["output_padding"]]
    if "pads" in given:
        before, after = given["pads"]
        wide["pads"] = [0, before, 0, after]
    inputs = list(node.input)
    inputs[0] = edit.unsqueezed(node.input[0], [2])
    inputs[1] = edit.constant(weights[:, :, None], hint="weights")
    edit.squeezed(edit.emit(node.op_type, inputs, **wide), [2], node.output)
    return None


RULE = Rule("grouped_conv1d", frozenset({"Conv"}), _apply)
