"""AffineGrid: the places (x, y, 1) of a picture, multiplied by the matrix; MNN 3.6.1 has none.

Places go from -1 to 1, which are the outermost pixels' centres with align_corners, else their outer
edges (ONNX operator schema, AffineGrid 20).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    theta, size = node.input[0], edit.value(node.input[1])
    if size is None:
        return "its size is not constant"
    batch, _, *lengths = (int(each) for each in size)
    aligned = attributes(node).get("align_corners", 0)
    along = [np.linspace(-1, 1, n) if aligned else (2 * np.arange(n) + 1) / n - 1 for n in lengths]
    places = np.meshgrid(*along, indexing="ij")[::-1]
    rows = np.stack([*(each.reshape(-1) for each in places), np.ones(int(np.prod(lengths)))], -1)
    columns = edit.emit("Transpose", [theta], perm=[0, 2, 1])
    stacked = edit.constant(np.broadcast_to(rows, (batch, *rows.shape)), edit.dtype(theta))
    product = edit.emit("MatMul", [stacked, columns])
    shape = edit.constant([batch, *lengths, len(lengths)], "int64")
    edit.emit("Reshape", [product, shape], node.output)
    return None


RULE = Rule("affine_grid", frozenset({"AffineGrid"}), _apply)
