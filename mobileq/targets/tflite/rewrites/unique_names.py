"""Each tensor by a name of its own.

ai-edge-quantizer 0.5.1 refuses files where two have the same. onnx2tf 2.6.9 names those of a loop's
condition as those of its body.
"""

from __future__ import annotations

from typing import Any


def make_names_unique(model: Any) -> bool:
    """Rename tensors that have another's name.

    Returns:
        Whether there was any.
    """
    used: set[bytes] = set()
    changed = False
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            name, count = tensor.name or b"", 1
            while tensor.name in used:
                count += 1
                tensor.name = name + b"/%d" % count
                changed = True
            if tensor.name:
                used.add(tensor.name)
    return changed
