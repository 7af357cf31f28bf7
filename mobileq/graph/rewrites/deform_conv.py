"""DeformConv: its taps sampled at their places, then one matrix product.

y[n, o, p] = b[o] + sum over taps k and channels c of w[o, c, k] m[n, k, p] x[n, c, place(n, k, p)],
place = p * stride - pad + k * dilation + offset, sampled linearly with zeros outside (ONNX operator
schema, DeformConv 22). onnx2tf 2.6.9 has it in one group only, MNN 3.6.1 not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes
from mobileq.graph.rewrites.sampling import Sampler
from mobileq.graph.rewrites.windows import Windows, windows_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import NodeProto


def _apply(node: NodeProto, edit: Editing) -> str | None:
    given = attributes(node)
    if given.get("group", 1) == 1 and given.get("offset_group", 1) == 1:
        return "it is in one group"
    return write(node, edit)


def write(node: NodeProto, edit: Editing) -> str | None:
    """Any DeformConv over two axes with constant weights."""
    x, _, offsets, *_ = node.input
    weights, windows, shape = edit.value(node.input[1]), windows_of(node, edit), edit.shape(x)
    if isinstance(windows, str):
        return windows
    if weights is None:
        return "its weights are not constant"
    if shape is None or len(shape) != 4 or edit.dtype(x) != np.float32:
        return "it is not of float32, or not over two axes"
    batch, channels = shape[:2]
    groups = attributes(node).get("offset_group", 1)
    taps, count = int(np.prod(windows.kernel)), int(np.prod(windows.counts))
    split = edit.constant([batch, groups, taps, 2, count], "int64")
    offsets = edit.emit("Reshape", [offsets, split])
    masks = node.input[4] if len(node.input) > 4 else ""
    if masks:
        split = edit.constant([batch, groups, taps * count, 1], "int64")
        masks = edit.emit("Reshape", [masks, split])
    share, columns = channels // groups, list[str]()
    for group in range(groups):
        part = edit.sliced(x, 1, group * share, (group + 1) * share)
        sampler = Sampler(edit, part, (batch, share, *shape[2:]), "linear", "zeros")
        mine = _of_group(edit, offsets, group)
        found = sampler.sample(_places(edit, mine, windows, (batch, taps * count)))
        if masks:
            found = edit.emit("Mul", [found, _of_group(edit, masks, group)])
        columns.append(found)
    found = edit.emit("Concat", columns, axis=2) if groups > 1 else columns[0]
    _multiply(node, edit, found, weights, (batch, channels, taps, count), windows)
    return None


def _multiply(
    node: NodeProto, edit: Editing, found: str, weights: npt.NDArray[Any],
    sizes: tuple[int, int, int, int], windows: Windows,
) -> None:  # fmt: skip
    batch, channels, taps, count = sizes
    given = len(weights)
    split = edit.constant([batch, taps, count, channels], "int64")
    found = edit.emit("Transpose", [edit.emit("Reshape", [found, split])], perm=[0, 2, 1, 3])
    rows = edit.emit("Reshape", [found, edit.constant([batch, count, taps * channels], "int64")])
    matrix = _dense(weights, channels, attributes(node).get("group", 1))
    product = edit.emit("MatMul", [rows, edit.constant(matrix, "float32")])
    if len(node.input) > 3 and node.input[3]:
        product = edit.emit("Add", [product, node.input[3]])
    first = edit.emit("Transpose", [product], perm=[0, 2, 1])
    edit.emit("Reshape", [first, edit.constant([batch, given, *windows.counts], "int64")],
              node.output)  # fmt: skip


def _of_group(edit: Editing, name: str, group: int) -> str:
    return edit.emit("Gather", [name, edit.constant(group, "int64")], axis=1)


def _places(edit: Editing, offsets: str, windows: Windows, shape: tuple[int, int]) -> list[str]:
    """Along each axis, [N, taps * places], of offsets [N, taps, 2, places]."""
    found = []
    for axis in (0, 1):
        along = edit.emit("Gather", [offsets, edit.constant(axis, "int64")], axis=2)
        flat = edit.emit("Reshape", [along, edit.constant(shape, "int64")])
        starts = np.arange(windows.counts[axis]) * windows.strides[axis] - windows.before[axis]
        taps = np.arange(windows.kernel[axis]) * windows.dilations[axis]
        grids = np.meshgrid(
            *(np.arange(n) for n in (*windows.kernel, *windows.counts)), indexing="ij"
        )
        base = taps[grids[axis]] + starts[grids[2 + axis]]
        found.append(edit.emit("Add", [flat, edit.constant(base.reshape(1, -1), "float32")]))
    return found


def _dense(weights: npt.NDArray[Any], channels: int, groups: int) -> npt.NDArray[Any]:
    """[taps * channels, outputs] of [outputs, channels / groups, *kernel]; 0 between groups."""
    outputs, share, *kernel = weights.shape
    dense = np.zeros((int(np.prod(kernel)), channels, outputs), weights.dtype)
    for group in range(groups):
        mine = slice(group * outputs // groups, (group + 1) * outputs // groups)
        block = weights[mine].reshape(-1, share, dense.shape[0]).transpose(2, 1, 0)
        dense[:, group * share : (group + 1) * share, mine] = block
    return dense.reshape(-1, outputs)


RULE = Rule("deform_conv", frozenset({"DeformConv"}), _apply)
