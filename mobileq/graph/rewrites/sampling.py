"""Values of a picture at places between its pixels, by gathers that every runtime has.

A place is a number for each spatial axis; the pixels about it are taken with their weights and
added up (ONNX operator schemas, GridSample 22 and DeformConv 22).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from mobileq.graph.rewrites.rule import Editing

Mode = Literal["nearest", "linear", "cubic"]
Padding = Literal["zeros", "border", "reflection"]
_CUBIC = -0.75
"""The constant of the cubic's weights."""
_INT64 = 7
"""`TensorProto.INT64`."""


@dataclass(frozen=True)
class _Tap:
    """One pixel along one axis: its index [N, P], in range, and its weight [N, P]; "" is 1."""

    index: str
    weight: str


class Sampler:
    """Samples x [N, C, *spatial], a float32 tensor of known shape.

    Args:
        align_corners: Whether the outermost pixels' centres are the ends of the reflection.
    """

    def __init__(
        self, edit: Editing, x: str, shape: Sequence[int], mode: Mode, padding: Padding,
        align_corners: bool = False,
    ) -> None:  # fmt: skip
        self._edit, self._mode, self._padding = edit, mode, padding
        self._edge = 0.0 if align_corners else 0.5
        batch, channels, *self._lengths = shape
        self._pixels = int(np.prod(self._lengths))
        self._starts = np.arange(batch)[:, None] * self._pixels
        flat = edit.emit("Reshape", [x, edit.constant([batch, channels, self._pixels], "int64")])
        last = edit.emit("Transpose", [flat], perm=[0, 2, 1])
        rows = edit.constant([batch * self._pixels, channels], "int64")
        self._rows = edit.emit("Reshape", [last, rows])

    def sample(self, places: Sequence[str]) -> str:
        """[N, P, C] at the places [N, P], in pixels, one tensor for each spatial axis."""
        taps = [self._taps(place, n) for place, n in zip(places, self._lengths, strict=True)]
        values = [self._value(each) for each in itertools.product(*taps)]
        return reduce(lambda one, other: self._edit.emit("Add", [one, other]), values)

    def _value(self, taps: Sequence[_Tap]) -> str:
        edit, rows = self._edit, self._edit.constant(self._starts, "int64")
        strides = [int(np.prod(self._lengths[at + 1 :])) for at in range(len(taps))]
        for tap, stride in zip(taps, strides, strict=True):
            step = edit.emit("Mul", [tap.index, edit.constant(stride, "int64")])
            rows = edit.emit("Add", [rows, step])
        value = edit.emit("Gather", [self._rows, rows], axis=0)
        weights = [tap.weight for tap in taps if tap.weight]
        if not weights:
            return value
        weight = reduce(lambda one, other: edit.emit("Mul", [one, other]), weights)
        return edit.emit("Mul", [value, edit.unsqueezed(weight, [2])])

    def _taps(self, place: str, length: int) -> list[_Tap]:
        if self._mode == "nearest":
            place = self._edit.emit("Round", [place])
        place = self._bounded(place, length)
        if self._mode == "nearest":
            return [self._tap(place, "", length)]
        first = self._edit.emit("Floor", [place])
        share = self._edit.emit("Sub", [place, first])
        if self._mode == "linear":
            rest = self._edit.emit("Sub", [self._number(1.0), share])
            return [
                self._tap(first, rest, length), self._tap(self._plus(first, 1.0), share, length),
            ]  # fmt: skip
        return [
            self._tap(self._plus(first, float(at)), self._cubic(share, at), length)
            for at in (-1, 0, 1, 2)
        ]

    def _bounded(self, place: str, length: int) -> str:
        """Within the picture, but for sums of which pixels outside are a part."""
        if self._padding == "border" and self._mode != "cubic":
            return self._clipped(place, length)
        return self._reflected(place, length) if self._padding == "reflection" else place

    def _tap(self, index: str, weight: str, length: int) -> _Tap:
        edit = self._edit
        if self._padding == "reflection":
            index = edit.emit("Round", [self._reflected(index, length)])
        inside = self._clipped(index, length)
        if self._padding == "zeros":
            beyond = edit.emit("Abs", [edit.emit("Sub", [index, inside])])
            counted = edit.emit("Relu", [edit.emit("Sub", [self._number(1.0), beyond])])
            weight = edit.emit("Mul", [weight, counted]) if weight else counted
        return _Tap(edit.emit("Cast", [inside], to=_INT64), weight)

    def _reflected(self, place: str, length: int) -> str:
        """A triangle wave between the ends: r - |t - r| of t = place mod 2 r."""
        low, reach = -self._edge, length - 1 + 2 * self._edge
        if reach == 0.0:
            return self._clipped(place, length)
        edit, period = self._edit, self._number(2 * reach)
        offset = self._plus(place, -low)
        turns = edit.emit("Floor", [edit.emit("Div", [offset, period])])
        along = edit.emit("Sub", [offset, edit.emit("Mul", [turns, period])])
        away = edit.emit("Abs", [self._plus(along, -reach)])
        return edit.emit("Sub", [self._number(low + reach), away])

    def _cubic(self, share: str, at: int) -> str:
        """The weight of the pixel `at` from the one before the place, a polynomial of the share."""
        a = _CUBIC
        factors = {
            -1: (a, -2 * a, a, 0.0),
            0: (a + 2, -(a + 3), 0.0, 1.0),
            1: (-(a + 2), 2 * a + 3, -a, 0.0),
            2: (-a, a, 0.0, 0.0),
        }[at]
        value = self._number(factors[0])
        for factor in factors[1:]:
            value = self._plus(self._edit.emit("Mul", [value, share]), factor)
        return value

    def _clipped(self, place: str, length: int) -> str:
        limits = [self._number(0.0), self._number(length - 1.0)]
        return self._edit.emit("Clip", [place, *limits])

    def _plus(self, value: str, added: float) -> str:
        return self._edit.emit("Add", [value, self._number(added)]) if added else value

    def _number(self, value: float) -> str:
        return self._edit.constant(value, "float32")
