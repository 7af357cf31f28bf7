"""Conv and ConvTranspose over one axis: over two, the other of length 1.

MNN 3.6.1 gives the other axis out too.
"""

from __future__ import annotations

from mobileq.graph.rewrites.grouped_conv1d import over_two_axes
from mobileq.graph.rewrites.rule import Rule

RULE = Rule("conv1d", frozenset({"Conv", "ConvTranspose"}), over_two_axes)
