"""Compare a converted file's outputs with the reference's, number by number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mobileq.spec import Spec
from mobileq.targets.info import Tolerance

if TYPE_CHECKING:
    from numpy.typing import NDArray


_LEAST_WITH_ROUNDING_DB = 10.0
"""Less is noise, whatever the reason."""
_LEAST_SLICE = 64
"""Values that a slice of an output has at least to have a range of its own."""
_LEAST_PART = 1e-3
"""Of the output's range, that of a slice: one that holds next to nothing is not held to it."""
_PIECE = 8 * 1024
"""Elements compared at once: they stay in the processor's cache, and OpenBLAS starts no threads,
which take longer to wake than the sum takes (from 10,000 on)."""


class OutputComparison(Spec, frozen=True, kw_only=True):
    """One output tensor against its reference, over all samples.

    `sqnr_db` is 10 log10(sum reference^2 / sum error^2): None where there is no error at all, -200
    where there is no signal to have one in. `largest_excess` is the largest
    `(|error| - rtol * |reference|) / range`, to be held against `Tolerance.atol`.

    `finite` is False where one of the two has NaN or infinity and the other does not have the
    same; such elements are left out of all figures.
    """

    name: str
    shape: tuple[int, ...]
    sqnr_db: float | None
    cosine: float
    max_abs_error: float
    max_rel_error: float
    """max |error| / max |reference|."""
    largest_excess: float
    finite: bool


class RoleComparison(Spec, frozen=True, kw_only=True):
    """All outputs of one role as one signal: the scores of every stride, say.

    A map of a stride in which no picture has an object holds next to no signal, and its SQNR tells
    nothing about what is found. `sqnr_db` as of `OutputComparison`. `silent`: the reference has no
    signal anywhere in these outputs, so that their figures mean nothing.
    """

    role: str
    outputs: tuple[str, ...]
    sqnr_db: float | None
    cosine: float
    silent: bool = False


class OutputComparer:
    """Sums over samples, so that no more than one is in memory. Arrays must agree in shape."""

    def __init__(self, name: str, rtol: float = 0.0, scale: NDArray[Any] | float = 1.0) -> None:
        """Args: scale: The range of each element (see `value_range`), as broadcast to a sample."""
        self._name, self._rtol, self._scale = name, rtol, scale
        self._parts: NDArray[Any] | None = None
        self._shape: tuple[int, ...] = ()
        self._signal = self._noise = self._product = self._energy = 0.0
        self._max_error = self._max_reference = 0.0
        self._excess = 0.0
        self._finite = True

    def update(self, reference: NDArray[Any], candidate: NDArray[Any]) -> None:
        """Take in one sample. Raises ValueError where the shapes differ."""
        if reference.shape != candidate.shape:
            raise ValueError(f"{self._name}: {candidate.shape} where {reference.shape} belongs")
        self._shape = reference.shape
        wanted, found = reference.reshape(-1), candidate.reshape(-1)
        scales = self._scales(reference.shape)
        for start in range(0, wanted.size, _PIECE):
            part = slice(start, start + _PIECE)
            self._add(
                wanted[part].astype("float64"),
                found[part].astype("float64"),
                scales if scales.size == 1 else scales[part],
            )

    def _scales(self, shape: tuple[int, ...]) -> NDArray[Any]:
        import numpy as np

        if self._parts is None:
            scale = np.asarray(self._scale, np.float64)
            whole = scale if scale.size == 1 else np.broadcast_to(scale, shape)
            self._parts = whole.reshape(-1)
        return self._parts

    def _add(self, wanted: NDArray[Any], found: NDArray[Any], scale: NDArray[Any]) -> None:
        import numpy as np

        usable = np.isfinite(wanted) & np.isfinite(found)
        if not usable.all():
            if not np.array_equal(wanted[~usable], found[~usable], equal_nan=True):
                self._finite = False
            wanted, found = wanted[usable], found[usable]
            scale = scale if scale.size == 1 else scale[usable]
            if not wanted.size:
                return
        self._signal += float(wanted @ wanted)
        self._energy += float(found @ found)
        self._product += float(wanted @ found)
        error = np.abs(np.subtract(found, wanted, out=found), out=found)
        self._noise += float(error @ error)
        self._max_error = max(self._max_error, float(error.max()))
        size = np.abs(wanted, out=wanted)
        self._max_reference = max(self._max_reference, float(size.max()))
        error -= np.multiply(size, self._rtol, out=size)
        error /= scale
        self._excess = max(self._excess, float(error.max()))

    def add(self, other: OutputComparer) -> None:
        """Take in what another output's comparer was given."""
        self._signal += other._signal
        self._energy += other._energy
        self._product += other._product
        self._noise += other._noise
        self._max_error = max(self._max_error, other._max_error)
        self._max_reference = max(self._max_reference, other._max_reference)
        self._excess = max(self._excess, other._excess)
        self._finite = self._finite and other._finite

    @property
    def largest(self) -> float:
        """The reference's largest absolute value."""
        return self._max_reference

    def result(self) -> OutputComparison:
        """What the samples so far gave."""
        norms = math.sqrt(self._signal) * math.sqrt(self._energy)
        silent = self._signal == 0.0 and self._energy == 0.0
        return OutputComparison(
            name=self._name,
            shape=self._shape,
            sqnr_db=self._sqnr(),
            cosine=1.0 if silent else (self._product / norms if norms else 0.0),
            max_abs_error=self._max_error,
            max_rel_error=self._max_error / self._max_reference if self._max_reference else 0.0,
            largest_excess=self._excess,
            finite=self._finite,
        )

    def _sqnr(self) -> float | None:
        if self._noise == 0.0:
            return None
        if self._signal == 0.0:
            return -200.0
        return 10.0 * (math.log10(self._signal) - math.log10(self._noise))


def value_range(samples: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The largest absolute values of an output over all samples, to be broadcast to one.

    Where one axis tells values of different sizes apart, such as YOLO's boxes in pixels from scores
    of 0 to 1, each slice along it has a range of its own. 1.0 of an output without a value. Rows
    that are found, some more in one sample than in another, have one range.
    """
    import numpy as np

    largest: NDArray[Any] | None = None
    if len({sample.shape for sample in samples}) > 1:
        samples = [np.concatenate([sample.reshape(-1) for sample in samples])]
    for sample in samples:
        sizes = np.abs(np.where(np.isfinite(sample), sample, 0).astype(np.float32))
        largest = sizes if largest is None else np.maximum(largest, sizes)
    if largest is None or not largest.size or not largest.max():
        return np.ones(1)
    whole = float(largest.max())
    choices = [np.full(1, whole)]
    for axis, length in enumerate(largest.shape):
        if length > 1 and largest.size >= length * _LEAST_SLICE:
            others = tuple(each for each in range(largest.ndim) if each != axis)
            found = largest.max(axis=others, keepdims=True).astype(np.float64)
            choices.append(np.maximum(found, _LEAST_PART * whole))
    return min(choices, key=lambda choice: float(np.log(choice).mean()))


def disagreement(
    found: OutputComparison,
    tolerance: Tolerance,
    rounding: OutputComparison | None = None,
    resolution: float = 0.0,
) -> str | None:
    """Why the output is out of tolerance, in a few words; None where it is not.

    Args:
        rounding: The reference itself, with its sums taken in another order. As good as equal but
            for a model that magnifies rounding, as untrained weights do, some to half a pixel:
            nothing can agree better than that.
        resolution: What the reference itself is off by at most; smaller errors are none.
    """
    if not found.finite:
        return f"{found.name!r} has NaN or infinite values in other places than the ONNX model"
    if found.max_abs_error <= resolution:
        return None
    least, sqnr_db = tolerance.sqnr_db, found.sqnr_db
    own = rounding.sqnr_db if rounding else None
    if least is not None and own is not None and tolerance.rounding_db is not None:
        least = min(least, max(own - tolerance.rounding_db, _LEAST_WITH_ROUNDING_DB))
    if least is not None and sqnr_db is not None and sqnr_db < least:
        return f"{found.name!r} has {sqnr_db:.1f} dB SQNR, under {least:g}"
    atol = tolerance.atol
    allowed = tolerance.rounding * rounding.largest_excess if rounding else 0.0
    if atol is not None and found.largest_excess > atol + allowed:
        return (
            f"{found.name!r} differs by up to {found.max_abs_error:.3g} "
            f"({found.largest_excess:.2g} of its range, over {atol:g})"
        )
    return None
