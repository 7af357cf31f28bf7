"""Finds out by trial what each of the last convolutions is for.

Shapes alone cannot say which of two branches with 64 channels holds the classes, or which of two
with one channel the objectness. So the part of the graph behind the convolutions is run by itself:
what changes in the decoded output when one tensor changes is what that tensor is for. This works
the same however an exporter has written the decoding down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mobileq.graph.frontier import between
from mobileq.graph.outline import dims, graph_inputs
from mobileq.graph.trial_run import open_run, random_inputs
from mobileq.parallel import in_parallel
from mobileq.spec.decode import DecodeKind, DecodeSpec, HeadOutput, OutputRole
from mobileq.tasks.detect.decode.arrays import as_rows, output_array, picture_outputs, single_output
from mobileq.tasks.detect.decode.distances import read_branches
from mobileq.tasks.detect.decode.split import split_rows
from mobileq.vision.arrays import FloatArray

if TYPE_CHECKING:
    from onnx import ModelProto

_THREADS = 2
_POWERS = (4, 8, 16, 32, 64, 128)
_AWAY = -20.0
"""Added to the tensors of all strides but one, so that a top-k in the graph takes that one's."""

_BOX, _OBJECTNESS, _CLASS = "box", "objectness", "class"
_ALL = frozenset({_BOX, _OBJECTNESS, _CLASS})
_BRANCHES: Mapping[frozenset[str], OutputRole] = {
    frozenset({_BOX}): "box_regression",
    frozenset({_OBJECTNESS}): "objectness_logits",
    frozenset({_CLASS}): "class_logits",
}
_ROLES: Mapping[DecodeKind, Mapping[frozenset[str], OutputRole]] = {
    "yolov5": {_ALL: "predictions"},
    "yolov8": _BRANCHES,
    "yolox": _BRANCHES,
    "split": _BRANCHES,
    "nanodet": {**_BRANCHES, frozenset({_BOX, _CLASS}): "predictions"},
    "picodet": {**_BRANCHES, frozenset({_BOX, _CLASS}): "predictions"},
    # Other scores choose other boxes.
    "end2end": {**_BRANCHES, frozenset({_BOX, _CLASS}): "class_logits"},
}
"""Which parts of the decoded output a tensor changes -> its role, by the decoded head's kind."""


class NoRawHead(Exception):
    """Why there is no raw head: half a sentence."""


@dataclass(frozen=True)
class HeadTensor:
    """One of the last convolutions' outputs."""

    name: str
    shape: tuple[int, ...]
    role: OutputRole
    stride: int

    @property
    def channels(self) -> int:
        """Values per cell."""
        return self.shape[1]

    @property
    def head_output(self) -> HeadOutput:
        """As the spec has it."""
        return HeadOutput(name=self.name, role=self.role, stride=self.stride)


def find_roles(
    model: ModelProto,
    decode: DecodeSpec,
    names: tuple[str, ...],
    width: int,
    height: int,
    seed: int,
    batch: int = 1,
) -> tuple[HeadTensor, ...]:
    """Role and stride of each tensor, strides in the order of the decoded head's anchors.

    Args:
        model: Ends in the decoded head.
        decode: Of that head.
        names: Of the tensors, [batch, channels, h, w].
        width: Of the picture, pixels.
        height: Of the picture, pixels.
        seed: Of the values tried.
        batch: Pictures that the model takes at a time; the first is looked at.

    Raises:
        NoRawHead: A tensor has another shape, or does what no tensor of this family's does.
        InputError: The decoded output is not what `decode` describes.
    """
    tail = between(model, names, [output.name for output in decode.outputs])
    shapes = {value.name: dims(value) or () for value in tail.graph.input}
    for name in names:
        if len(shapes[name]) != 4 or shapes[name][0] != batch:
            shape = list(shapes[name])
            raise NoRawHead(
                f"the last convolution's '{name}' {shape} is no [{batch}, values, h, w]"
            )
    strides = {name: _stride_of(name, shapes[name], width, height, decode) for name in names}
    trial = _Trial(tail, decode, strides, seed, batch)
    found: list[HeadTensor] = []
    first_anchor: dict[int, int] = {}
    for name, (parts, first) in in_parallel(trial.effect_of, names, _THREADS):
        role = _role(name, decode.kind, parts, shapes[name][1])
        found.append(HeadTensor(name, shapes[name], role, strides[name]))
        first_anchor[strides[name]] = min(first, first_anchor.get(strides[name], first))
    if decode.kind == "end2end":  # its rows are by score
        first_anchor = {stride: stride for stride in first_anchor}
    order: list[OutputRole] = [
        "predictions", "box_distribution", "box_regression", "objectness_logits", "class_logits",
    ]  # fmt: skip
    found.sort(key=lambda item: (first_anchor[item.stride], order.index(item.role)))
    return tuple(found)


def _stride_of(
    name: str, shape: tuple[int, ...], width: int, height: int, decode: DecodeSpec
) -> int:
    """Pixels per cell; a power of two, if any makes so many cells."""
    rows, columns = shape[2:]
    fitting = [
        s for s in _POWERS if math.ceil(height / s) == rows and math.ceil(width / s) == columns
    ]
    if fitting:
        return next((s for s in fitting if s in decode.strides), fitting[0])
    if height % rows == 0 and width % columns == 0 and height // rows == width // columns:
        return height // rows
    raise NoRawHead(f"the {rows}x{columns} cells of '{name}' do not fit a {width}x{height} picture")


class _Trial:
    """Runs the part of the graph behind the convolutions on values of its own."""

    def __init__(
        self, tail: ModelProto, decode: DecodeSpec, strides: Mapping[str, int], seed: int,
        batch: int,
    ) -> None:  # fmt: skip
        self._run, self._batch = open_run(tail), batch
        self._decode = decode
        self._strides = strides
        self._inputs = {value.name: dims(value) or () for value in graph_inputs(tail)}
        self._others = random_inputs(tail, seed)
        self._generator = np.random.default_rng(seed)
        self._base = {name: self._draw(name) for name in strides}
        self._changed = {name: self._draw(name) for name in strides}

    def _draw(self, name: str) -> FloatArray:
        return self._generator.standard_normal(self._inputs[name], np.float32)

    def effect_of(self, name: str) -> tuple[frozenset[str], int]:
        """The parts of the decoded output that a tensor changes, and the first anchor changed."""
        stride = self._strides[name]
        before: dict[str, npt.NDArray[np.generic]] = {
            **self._others,
            **{
                other: values if self._strides[other] == stride else values + np.float32(_AWAY)
                for other, values in self._base.items()
            },
        }
        after = {**before, name: self._changed[name]}
        changed: dict[str, npt.NDArray[np.intp]] = {}
        old, new = self._parts(before), self._parts(after)
        for part, rows in old.items():
            differ = np.any(rows != new[part], axis=1)
            if differ.any():
                changed[part] = np.flatnonzero(differ)
        first = min((int(rows[0]) for rows in changed.values()), default=0)
        return frozenset(changed), first

    def _parts(self, inputs: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, FloatArray]:
        outputs = {name: array.astype(np.float32) for name, array in self._run(inputs).items()}
        return _parts_of(self._decode, picture_outputs(outputs, 0, self._batch))


def _parts_of(decode: DecodeSpec, outputs: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """The decoded output, a row per anchor, by what its values are."""
    if decode.kind == "split":
        boxes, classes, _ = split_rows(decode, outputs)
        return {_BOX: boxes, _CLASS: classes}
    if any(output.role != "predictions" for output in decode.outputs):
        branches = read_branches(decode, outputs)
        return {
            _CLASS: np.concatenate([branch.class_rows for branch in branches]),
            _BOX: np.concatenate([branch.box_rows for branch in branches]),
        }
    name = single_output(decode, "predictions").name
    array = output_array(outputs, name)
    if decode.kind == "end2end":
        rows = as_rows(name, array, 6)
        return {_BOX: rows[:, :4], _CLASS: rows[:, 4:]}
    count = decode.class_count
    if decode.kind in ("nanodet", "picodet"):
        rows = as_rows(name, array, count + 4 * decode.reg_max)
        return {_CLASS: rows[:, :count], _BOX: rows[:, count:]}
    if decode.kind == "yolov8":
        rows = as_rows(name, array, 4 + count, channels_first=True)
        return {_BOX: rows[:, :4], _CLASS: rows[:, 4:]}
    rows = as_rows(name, array, 5 + count)
    return {_BOX: rows[:, :4], _OBJECTNESS: rows[:, 4:5], _CLASS: rows[:, 5:]}


def _role(name: str, kind: DecodeKind, parts: frozenset[str], channels: int) -> OutputRole:
    role = _ROLES[kind].get(parts)
    if role is None:
        does = "does not change" if not parts else f"changes {' and '.join(sorted(parts))} of"
        raise NoRawHead(f"the last convolution's '{name}' {does} the decoded {kind} output")
    return "box_distribution" if role == "box_regression" and channels > 4 else role
