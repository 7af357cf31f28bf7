"""The rows of a `.npy` file: pictures, or finished tensors of a model's only input."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.calibration.arrays import Fitting, fitting, is_empty, load_array, shape_text
from mobileq.calibration.sources import Reading, SourceKind
from mobileq.errors import InputError
from mobileq.spec import TensorSpec

if TYPE_CHECKING:
    import numpy.typing as npt


class ArrayRows:
    """Rows of an array that stays on disk until they are read.

    Args:
        rows: All of them.
        fitting: How one becomes the input; None for pictures, uint8 [N, H, W, 1 or 3].
    """

    in_time = False
    notices: tuple[str, ...] = ()

    def __init__(self, rows: npt.NDArray[Any], fitting: Fitting | None = None) -> None:
        self.kind: SourceKind = "tensors" if fitting else "pictures"
        self.count = len(rows)
        self._rows, self._fitting = rows, fitting

    def id(self, position: int) -> str:
        return f"row-{position:06d}"

    def path(self, position: int) -> Path | None:
        return None

    def read(self, positions: Sequence[int]) -> Iterator[Reading]:
        import numpy as np

        for position in positions:
            row = self._rows[position]
            if self._fitting is None:
                # Gray pictures are RGB whose channels are equal, as those of files are.
                yield Reading(position, np.repeat(row, 3 // row.shape[-1], axis=-1))
                continue
            tensor, problem = self._fitting.take(row)
            feeds = {self._fitting.spec.name: tensor}
            yield Reading(position, problem=problem, feeds=None if problem else feeds)

    def digests(self, positions: Sequence[int]) -> Iterator[str]:
        for position in positions:
            row = self._rows[position]
            digest = hashlib.sha256(f"{row.dtype.str} {row.shape} ".encode())
            digest.update(row.tobytes())
            yield digest.hexdigest()


def array_source(path: Path, input_spec: TensorSpec) -> ArrayRows:
    """Rows of a `.npy` file: uint8 [N, H, W, 3] RGB pictures ([N, H, W, 1]: gray ones), or finished
    tensors of the input's kind of numbers.

    Tensors are [N, *input shape], or one of the input's shape; see `mobileq.calibration.arrays`.

    Raises:
        InputError: It is no such array.
    """
    rows = load_array(path)
    if is_empty(rows.shape):
        raise InputError(
            f"{path} holds no samples: its shape is {list(rows.shape)}.",
            "Save an array with one sample a row.",
        )
    found = fitting(rows.shape, rows.dtype, input_spec)
    is_bytes = rows.dtype.kind == "u" and rows.dtype.itemsize == 1
    if is_bytes and rows.ndim == 4 and rows.shape[3] in (1, 3) and input_spec.layout is not None:
        return ArrayRows(rows)
    if found is not None:
        return ArrayRows(rows[None] if found.count is None else rows, found)
    shape = ", ".join(map(str, ("N", *input_spec.shape[1:])))
    raise InputError(
        f"{path} holds {rows.dtype} {list(rows.shape)}, which does not go with the model's input "
        f"{shape_text(input_spec)}.",
        f"Save {_pictures_hint(input_spec)}finished tensors as {input_spec.dtype} [{shape}].",
    )


def _pictures_hint(spec: TensorSpec) -> str:
    if spec.layout is None:
        return ""
    return "pictures as uint8 [N, height, width, 3] in RGB, or "
