"""auto_pad=SAME_LOWER: the pads it stands for.

ceil(n / stride) windows; what they need beyond n is padded, and an odd one goes before (ONNX
operator schemas, Conv 11 and MaxPool 12). TFLite's SAME puts it behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.graph.rewrites.rule import Editing, Rule, attributes
from mobileq.graph.rewrites.windows import windows_of

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    if attributes(node).get("auto_pad") != "SAME_LOWER":
        return "its pads are explicit, or those of SAME_UPPER"
    windows = windows_of(node, edit)
    if isinstance(windows, str):
        return windows
    pads = [*windows.before, *windows.after]
    edit.copy(node, drop=("auto_pad", "ceil_mode"), pads=pads)
    return None


RULE = Rule("explicit_pads", frozenset({"Conv", "MaxPool", "AveragePool"}), _apply)
