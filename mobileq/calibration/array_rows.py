"""The rows of a `.npy` file: pictures, or finished tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.calibration.sources import Reading, SourceKind
from mobileq.errors import InputError, unreadable
from mobileq.spec import TensorSpec

if TYPE_CHECKING:
    import numpy.typing as npt


class ArrayRows:
    """Rows of an array that stays on disk until they are read.

    Args:
        kind: "pictures" for uint8 [N, H, W, 3], RGB; "tensors" for float32.
        rows: All of them.
        axes: How to transpose a row.
        shape: Of what is read, after that; None for the row's own.
    """

    in_time = False
    notices: tuple[str, ...] = ()

    def __init__(
        self,
        kind: SourceKind,
        rows: npt.NDArray[Any],
        axes: tuple[int, ...] | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        self.kind = kind
        self.count = len(rows)
        self._rows = rows
        self._axes = axes or tuple(range(rows.ndim - 1))
        self._shape = shape

    def id(self, position: int) -> str:
        return f"row-{position:06d}"

    def path(self, position: int) -> Path | None:
        return None

    def read(self, positions: Sequence[int]) -> Iterator[Reading]:
        import numpy as np

        for position in positions:
            # A copy in the machine's byte order: who takes it may write to it.
            row = np.array(self._rows[position].transpose(self._axes), order="C")
            row = row.astype(row.dtype.newbyteorder("="), copy=False)
            if row.dtype.kind == "f" and not np.isfinite(row).all():
                yield Reading(position, None, "holds NaN or infinite values.")
            else:
                yield Reading(position, row if self._shape is None else row.reshape(self._shape))

    def digests(self, positions: Sequence[int]) -> Iterator[str]:
        for position in positions:
            row = self._rows[position]
            digest = hashlib.sha256(f"{row.dtype.str} {row.shape} ".encode())
            digest.update(row.tobytes())
            yield digest.hexdigest()


def array_source(path: Path, input_spec: TensorSpec) -> ArrayRows:
    """Rows of a `.npy` file: uint8 [N, H, W, 3] RGB pictures, or float32 finished tensors.

    Tensors are [N, *input shape], with or without the input's leading 1, in the input's layout or
    in the other of NCHW and NHWC.

    Raises:
        InputError: It is no such array.
    """
    rows = _load(path)
    if rows.size == 0:
        raise InputError(
            f"{path} holds no samples: its shape is {list(rows.shape)}.",
            "Save an array with one sample a row.",
        )
    if rows.dtype.kind == "u" and rows.dtype.itemsize == 1 and rows.shape[3:] == (3,):
        return ArrayRows("pictures", rows)
    if rows.dtype.kind == "f" and rows.dtype.itemsize == 4:
        shape = input_spec.shape
        axes_by_shape = {shape: tuple(range(len(shape)))}
        if shape[:1] == (1,):
            axes_by_shape[shape[1:]] = tuple(range(len(shape) - 1))
            _add_other_layout(axes_by_shape, input_spec)
        axes = axes_by_shape.get(rows.shape[1:])
        if axes is not None:
            return ArrayRows("tensors", rows, axes, shape)
    raise InputError(
        f"{path} holds {rows.dtype} {list(rows.shape)}, which does not go with the model's input "
        f"{input_spec.name}, {input_spec.dtype} {list(input_spec.shape)}.",
        "Save pictures as uint8 [N, height, width, 3] in RGB, or finished tensors as float32 "
        f"{['N', *input_spec.shape[1:]]}.".replace("'", ""),
    )


def _add_other_layout(
    axes_by_shape: dict[tuple[int, ...], tuple[int, ...]], input_spec: TensorSpec
) -> None:
    """Row shapes of the layout that the input does not have; where both fit, its own counts."""
    if len(input_spec.shape) != 4 or input_spec.layout is None:
        return
    one, *rest = input_spec.shape
    if input_spec.layout == "NCHW":
        channels, height, width = rest
        other, axes = (height, width, channels), (2, 0, 1)
    else:
        height, width, channels = rest
        other, axes = (channels, height, width), (1, 2, 0)
    axes_by_shape.setdefault(other, axes)
    axes_by_shape.setdefault((one, *other), (0, *(axis + 1 for axis in axes)))


def _load(path: Path) -> npt.NDArray[Any]:
    import numpy as np

    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise unreadable(path, error) from error
    except Exception as error:  # numpy 2.2 reads the header as Python and lets its errors through
        raise InputError(
            f"{path} is not a .npy array of numbers, or is cut short.",
            "Write it with numpy.save, without pickled objects.",
        ) from error
    if not isinstance(rows, np.ndarray) or rows.ndim == 0:
        raise InputError(f"{path} is not a .npy array of samples.", "Write it with numpy.save.")
    return rows
