"""What TFLite's ops are. Those of ONNX are in `mobileq.graph.op_facts`; most have another name."""

from __future__ import annotations

_ALL = frozenset(
    {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE"}
    | {"PAD", "PADV2", "MIRROR_PAD", "TILE", "BROADCAST_TO", "RESIZE_NEAREST_NEIGHBOR"}
)
"""They give all the values they take."""
CHOOSING = frozenset(
    {"SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "UNPACK", "GATHER", "GATHER_ND", "MAX_POOL_2D"}
)
"""They give some of the values they take: these need not span the range of all."""
MOVING = _ALL | CHOOSING
"""They give values they take: one scale for both, and the precision of their neighbours."""
LIMITING = ("MAXIMUM", "MINIMUM")
"""A Clip whose limits no activation function has is one of each."""
WEIGHTY = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "CONV_3D")
"""Their second input holds weights, where it is constant (TRANSPOSE_CONV starts with a shape)."""
