"""A convolution's own padding, where there is a Pad of the same tensor that does it for others.

Larger paddings stay as they are: what is left of them would be a PAD where TFLite's SAME has none.

torch.onnx.export with dynamo takes a Pad into a convolution also where others read it, and the Pad
stays. onnx2tf (2.6.9) turns the axes of such a convolution twice: the float .tflite of a D-FINE,
whose stem has one, did not load.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mobileq.graph.outline import constants
from mobileq.graph.rewrites.rule import attributes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto

_Key = tuple[str, tuple[int, ...]]
"""A tensor, and how many zeros go before its spatial axes and behind them."""


def share_pads(model: ModelProto) -> ModelProto:
    """A copy in which such convolutions read what the Pad gives; the model itself where there is
    none."""
    from onnx import ModelProto, helper

    known = constants(model.graph)
    pads = {key: node for node in model.graph.node if (key := _pad(node, known)) is not None}
    if pads.keys().isdisjoint(map(_own_padding, model.graph.node)):
        return model
    copy = ModelProto()
    copy.CopyFrom(model)
    nodes: list[NodeProto] = []
    given: set[str] = set()
    moved: set[str] = set()
    for node in copy.graph.node:
        key = _own_padding(node)
        if key is not None and (pad := pads.get(key)) is not None:
            if pad.output[0] not in given:  # it stands behind the convolution
                nodes.append(pad)
                given.update(pad.output)
                moved.update(pad.output)
            node.input[0] = pad.output[0]
            kept = [each for each in node.attribute if each.name != "pads"]
            del node.attribute[:]
            node.attribute.extend(kept)
            node.attribute.append(helper.make_attribute("pads", [0] * len(key[1])))
        if moved.isdisjoint(node.output):
            nodes.append(node)
            given.update(node.output)
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def _pad(node: NodeProto, known: Mapping[str, NDArray[np.generic]]) -> _Key | None:
    """Of a Pad that puts zeros around spatial axes alone."""
    if node.op_type != "Pad" or node.domain not in ("", "ai.onnx") or len(node.input) < 2:
        return None
    pads, value = known.get(node.input[1]), "".join(node.input[2:3])
    is_zero = not value or (value in known and not known[value].any())
    is_plain = attributes(node).get("mode", "constant") == "constant" and len(node.input) < 4
    if pads is None or not is_zero or not is_plain:
        return None
    rank = pads.size // 2
    before, after = pads[:rank].tolist(), pads[rank:].tolist()
    if any((*before[:2], *after[:2])):
        return None
    return node.input[0], (*before[2:], *after[2:])


def _own_padding(node: NodeProto) -> _Key | None:
    """Of a convolution that pads by itself."""
    if node.op_type != "Conv" or node.domain not in ("", "ai.onnx"):
        return None
    given = attributes(node)
    pads = tuple(given.get("pads", ()))
    if not any(pads) or given.get("auto_pad", "NOTSET") != "NOTSET":
        return None
    return node.input[0], pads
