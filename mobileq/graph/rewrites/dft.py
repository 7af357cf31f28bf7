"""DFT and STFT of a fixed length: one product with the matrix of their cosines and sines.

X[k] = sum over n of x[n] exp(-2 pi i n k / L), the inverse with + and divided by L; what is longer
than L is cut, what is shorter counts as padded with 0 (ONNX operator schemas, DFT 20, STFT 17).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mobileq.graph.rewrites.rule import Editing, Rule, attributes, positive_axis

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import NodeProto

_LONGEST = 1024
"""Its matrix is of 16 MB."""
_AXIS_AS_INPUT = 20


def _apply(node: NodeProto, edit: Editing) -> str | None:
    shape = edit.shape(node.input[0])
    if shape is None or edit.dtype(node.input[0]) != np.float32:
        return "the shape is not known, or it is not of float32"
    return (_stft if node.op_type == "STFT" else _dft)(node, edit, shape)


def _dft(node: NodeProto, edit: Editing, shape: tuple[int, ...]) -> str | None:
    given, rank = attributes(node), len(shape)
    inverse, onesided = bool(given.get("inverse", 0)), bool(given.get("onesided", 0))
    axis = given.get("axis", 1)
    if edit.opset >= _AXIS_AS_INPUT:
        axis = _whole(node, edit, 2, -2)
    length = _whole(node, edit, 1, shape[axis] if axis is not None else 0)
    if axis is None or length is None:
        return "its axis or its length is not constant"
    if not 0 < length <= _LONGEST or shape[axis] > _LONGEST or (inverse and onesided):
        return "it is too long, or the inverse of one side"
    axis = positive_axis(axis, rank)
    matrix = _matrix(shape[axis], length, shape[-1], inverse, onesided)
    others = [at for at in range(rank - 1) if at != axis]
    order = [*others, axis, rank - 1]
    value = edit.emit("Transpose", [node.input[0]], perm=order)
    kept = [shape[at] for at in others]
    value = edit.emit("Reshape", [value, edit.constant([-1, len(matrix)], "int64")])
    value = edit.emit("MatMul", [value, edit.constant(matrix, "float32")])
    split = edit.constant([*kept, matrix.shape[1] // 2, 2], "int64")
    value = edit.emit("Reshape", [value, split])
    edit.emit("Transpose", [value], node.output, perm=[order.index(at) for at in range(rank)])
    return None


def _stft(node: NodeProto, edit: Editing, shape: tuple[int, ...]) -> str | None:
    step, window = _whole(node, edit, 1, None), node.input[2] if len(node.input) > 2 else ""
    spread = edit.shape(window) if window else None
    length = _whole(node, edit, 3, spread[0] if spread else None)
    if step is None or length is None or (window and spread is None):
        return "its step or its length is not known"
    if not 0 < length <= _LONGEST:
        return "it is too long"
    parts = shape[2] if len(shape) > 2 else 1
    signal = node.input[0] if len(shape) > 2 else edit.unsqueezed(node.input[0], [2])
    frames = (shape[1] - length) // step + 1
    places = np.arange(frames)[:, None] * step + np.arange(length)
    value = edit.emit("Gather", [signal, edit.constant(places, "int64")], axis=1)
    if window:
        value = edit.emit("Mul", [value, edit.unsqueezed(window, [1])])
    flat = edit.constant([shape[0], frames, length * parts], "int64")
    matrix = _matrix(length, length, parts, False, bool(attributes(node).get("onesided", 1)))
    value = edit.emit("MatMul", [edit.emit("Reshape", [value, flat]),
                                 edit.constant(matrix, "float32")])  # fmt: skip
    split = edit.constant([shape[0], frames, matrix.shape[1] // 2, 2], "int64")
    edit.emit("Reshape", [value, split], node.output)
    return None


def _whole(node: NodeProto, edit: Editing, position: int, default: int | None) -> int | None:
    """The whole number in an input; `default` where that is left out, None where not constant."""
    if len(node.input) <= position or not node.input[position]:
        return default
    value = edit.value(node.input[position])
    return None if value is None else int(value.reshape(-1)[0])


def _matrix(count: int, length: int, parts: int, inverse: bool, onesided: bool) -> npt.NDArray[Any]:
    """[count * parts, frequencies * 2]; a part is the real one, or the imaginary one."""
    rows, columns = np.arange(count), np.arange(length // 2 + 1 if onesided else length)
    # Of whole turns nothing is left, which keeps the angle small and exact.
    angles = (rows[:, None] * columns % length) * (2 * np.pi / length)
    turned = np.exp(angles * (1j if inverse else -1j)) / (length if inverse else 1)
    turned[length:] = 0
    real = np.stack([turned.real, turned.imag], -1)
    both = np.stack([real, np.stack([-turned.imag, turned.real], -1)], 1)
    kept = both if parts == 2 else both[:, :1]
    found: npt.NDArray[Any] = kept.reshape(count * parts, -1)
    return found


RULE = Rule("dft", frozenset({"DFT", "STFT"}), _apply)
