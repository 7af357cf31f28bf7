"""Resize in ways that runtimes lack: a product with a constant matrix along each axis.

Resizing is linear, and its axes are independent: y = A x along each, where A's columns are what
the operator makes of the unit vectors (ONNX operator schema, Resize 19). ONNX Runtime is asked for
them, so every coordinate mode, filter and rounding is its own. Nearest neighbours are chosen by
index, which no rounding changes.

Left alone is what TFLite and MNN compute: nearest with the asymmetric floor, or the usual
half-pixel rounding for whole factors, and linear with scales that are the ratio of the lengths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mobileq.graph.outline import attribute
from mobileq.graph.rewrites.rule import Editing, Rule, attributes

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import NodeProto

    Array = npt.NDArray[Any]

_MODES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
_LONGEST = 2048
"""Of an axis: a matrix of 16 MB."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    axes = _resized_axes(node, edit)
    if isinstance(axes, str):
        return axes
    before, after, given = edit.shape(node.input[0]), edit.shape(node.output[0]), attributes(node)
    assert before is not None
    assert after is not None
    factors = {axis: each.factor for axis, each in axes.items() if each.factor is not None}
    if _is_usual(given, before, after, factors):
        return "runtimes know it"
    value, inside = node.input[0], np.ones([1] * len(before), bool)
    for axis, resized in axes.items():
        matrix = _matrix(node, edit.opset, resized, 0.0)
        if resized.region is not None:
            along = [1] * len(before)
            along[axis] = resized.wanted
            alike = matrix == _matrix(node, edit.opset, resized, 1.0)
            inside = inside & alike.all(axis=1).reshape(along)
        value = _resized(edit, value, axis, len(before), matrix, given.get("mode", "nearest"))
    if not inside.all():
        # A row of zeros, where the product is 0 already.
        beyond = np.where(inside, 0.0, given.get("extrapolation_value", 0.0))
        masked = edit.emit("Mul", [value, edit.constant(inside, "float32")])
        value = edit.emit("Add", [masked, edit.constant(beyond, "float32")])
    edit.emit("Identity", [value], node.output)
    return None


def axis_matrices(node: NodeProto, edit: Editing) -> dict[int, Array] | str:
    """{axis: [new length, length]} of all axes along which values change, with zeros for those
    beyond a region; or why they are not known."""
    axes = _resized_axes(node, edit)
    if isinstance(axes, str):
        return axes
    if attributes(node).get("keep_aspect_ratio_policy", "stretch") != "stretch":
        return "its scales follow from the lengths"
    return {axis: _matrix(node, edit.opset, each, 0.0) for axis, each in axes.items()}


class _Axis(NamedTuple):
    length: int
    wanted: int
    factor: float | None
    """None where the lengths are given."""
    region: Any
    """Its start and end."""


def _resized_axes(node: NodeProto, edit: Editing) -> dict[int, _Axis] | str:
    """Those along which values change, or why they are not known."""
    if len(node.input) < 3:
        return "it is of an opset whose scales stand alone"
    before, after = edit.shape(node.input[0]), edit.shape(node.output[0])
    if before is None or after is None or edit.dtype(node.input[0]) != np.float32:
        return "a shape is not known, or it is not of float32"
    if max(before + after) > _LONGEST:
        return f"an axis is longer than {_LONGEST}"
    given = attributes(node)
    roi, scales, sizes = (_constant(edit, node, at) for at in (1, 2, 3))
    if scales is None and sizes is None:
        return "its scales are not constant"
    axes = given.get("axes") or range(len(before))
    factors = dict(zip(axes, scales, strict=True)) if scales is not None else {}
    if roi is not None and roi.size and given.get("coordinate_transformation_mode") == _CROP:
        regions = dict(zip(axes, np.reshape(roi, (2, -1)).T, strict=True))
    else:
        regions = {}
    found = {
        axis: _Axis(length, wanted, factors.get(axis), regions.get(axis))
        for axis, (length, wanted) in enumerate(zip(before, after, strict=True))
        if axis in axes
    }
    return {axis: each for axis, each in found.items() if not _is_identity(each)}


_CROP = "tf_crop_and_resize"


def _is_identity(axis: _Axis) -> bool:
    return axis.length == axis.wanted and axis.factor in (None, 1.0) and axis.region is None


def _constant(edit: Editing, node: NodeProto, position: int) -> Array | None:
    if len(node.input) <= position or not node.input[position]:
        return None
    value = edit.value(node.input[position])
    return None if value is None or not value.size else value


def _is_usual(
    given: Any, before: tuple[int, ...], after: tuple[int, ...], factors: dict[int, float]
) -> bool:
    mode = given.get("mode", "nearest")
    coordinates = given.get("coordinate_transformation_mode", "half_pixel")
    if given.get("antialias", 0) or given.get("exclude_outside", 0) or coordinates not in _MODES:
        return False
    pairs = list(zip(before, after, strict=True))
    exact = all(
        axis not in factors or float(factors[axis]) == new / old
        for axis, (old, new) in enumerate(pairs)
    )
    spatial_only = len(before) == 4 and before[:2] == after[:2]
    policy = given.get("keep_aspect_ratio_policy", "stretch") == "stretch"
    axes = given.get("axes", [])
    if not (exact and spatial_only and policy and axes == sorted(axes)):
        return False
    if mode == "linear":
        ends = coordinates == "pytorch_half_pixel" and 1 in after[2:]
        return not ends
    if mode != "nearest":
        return False
    rounding = given.get("nearest_mode", "round_prefer_floor")
    if coordinates == "asymmetric":
        return bool(rounding == "floor")
    whole = all(new % old == 0 for old, new in pairs)
    return coordinates == "half_pixel" and rounding.startswith("round") and whole


def _matrix(node: NodeProto, opset: int, axis: _Axis, beyond: float) -> Array:
    """[wanted, length]: ONNX Runtime's Resize of the unit vectors, along the last of two axes."""
    from onnx import TensorProto, helper, numpy_helper

    from mobileq.graph.trial_run import run

    length, wanted, factor, region = axis
    unit = helper.make_tensor_value_info("unit", TensorProto.FLOAT, [length, length])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [length, wanted])
    roi = [0.0, 0.0, 1.0, 1.0] if region is None else [0.0, region[0], 1.0, region[1]]
    constants = [numpy_helper.from_array(np.array(roi, np.float32), "roi")]
    if factor is not None:
        constants.append(numpy_helper.from_array(np.array([1.0, factor], np.float32), "how"))
        inputs = ["unit", "roi", "how"]
    else:
        constants.append(numpy_helper.from_array(np.array([length, wanted], np.int64), "how"))
        # Which may not be left out before opset 13.
        constants.append(numpy_helper.from_array(np.empty(0, np.float32), "no_scales"))
        inputs = ["unit", "roi", "no_scales" if opset < 13 else "", "how"]
    copy = helper.make_node("Resize", inputs, ["y"])
    dropped = ("axes", "keep_aspect_ratio_policy")
    copy.attribute.extend(item for item in node.attribute if item.name not in dropped)
    outside = attribute(copy, "extrapolation_value")
    if outside is not None:
        outside.f = beyond
    graph = helper.make_graph([copy], "resize", [unit], [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return run(model, {"unit": np.eye(length, dtype=np.float32)})["y"].T


def _resized(edit: Editing, value: str, axis: int, rank: int, matrix: Array, mode: str) -> str:
    if mode == "nearest":
        chosen = edit.constant(matrix.argmax(axis=1), "int64")
        return edit.emit("Gather", [value, chosen], axis=axis)
    last = rank - 1
    order = list(range(rank))
    order[axis], order[last] = last, axis
    if axis != last:
        value = edit.emit("Transpose", [value], perm=order)
    value = edit.emit("MatMul", [value, edit.constant(matrix.T, "float32", "weights")])
    return edit.emit("Transpose", [value], perm=order) if axis != last else value


RULE = Rule("resize_matrices", frozenset({"Resize"}), _apply)
