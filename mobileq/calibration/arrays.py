"""How arrays that somebody saved go with a model's inputs: their shapes, axes and types."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.array_file import open_npy
from mobileq.errors import InputError, unreadable
from mobileq.regular_file import require_regular
from mobileq.spec import TensorSpec

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_LARGEST_FILE = 2**32
"""Bytes of all arrays of a .npz file, which are in memory together."""


@dataclass(frozen=True)
class Fitting:
    """How a saved array becomes what an input takes.

    `axes` transposes it, or a row of it where `count` is not None: then it holds that many
    samples, one a row.
    """

    spec: TensorSpec
    axes: tuple[int, ...]
    count: int | None = None

    def take(self, array: Array) -> tuple[Array, str]:
        """An array (or a row) as the input takes it, or the reason why it can't, which follows its
        name."""
        import numpy as np

        dtype = np.dtype(self.spec.dtype)
        # A copy in the machine's byte order: who takes it may write to it.
        made = np.array(array.transpose(self.axes), order="C").reshape(self.spec.shape)
        with np.errstate(all="ignore"):
            typed = made.astype(dtype)
        if dtype.kind == "f":
            return typed, "" if np.isfinite(typed).all() else "holds NaN or infinite values."
        same = np.array_equal(typed, made)
        return typed, "" if same else f"holds values that {self.spec.dtype} can't."


def fitting(array_shape: tuple[int, ...], dtype: Any, spec: TensorSpec) -> Fitting | None:
    """How an array of a shape and type goes with an input: whole, or row by row; None if it
    doesn't.

    With or without the input's leading 1, in the input's layout or in the other of NCHW and NHWC.
    Floats may be of any width, so may integers whose values fit.
    """
    import numpy as np

    wanted = np.dtype(spec.dtype).kind
    kinds = {"f": "f", "i": "iu", "u": "iu", "b": "b"}
    if dtype.kind not in kinds.get(wanted, ""):
        return None
    rows = row_axes(spec)
    if array_shape == spec.shape:
        return Fitting(spec, rows[spec.shape])
    if array_shape and (axes := rows.get(array_shape[1:])) is not None:
        return Fitting(spec, axes, array_shape[0])
    if (axes := rows.get(array_shape)) is not None:
        return Fitting(spec, axes)
    return None


def row_axes(spec: TensorSpec) -> dict[tuple[int, ...], tuple[int, ...]]:
    """{shape of one sample: how to transpose it}; where two orders fit, the input's own counts."""
    shape = spec.shape
    found = {shape: tuple(range(len(shape)))}
    if len(shape) > 1 and shape[0] == 1:
        found.setdefault(shape[1:], tuple(range(len(shape) - 1)))
    if len(shape) != 4 or spec.layout is None:
        return found
    batch, *rest = shape
    if spec.layout == "NCHW":
        channels, height, width = rest
        other, axes = (height, width, channels), (2, 0, 1)
    else:
        height, width, channels = rest
        other, axes = (channels, height, width), (1, 2, 0)
    if batch == 1:
        found.setdefault(other, axes)
    found.setdefault((batch, *other), (0, *(axis + 1 for axis in axes)))
    return found


def load_array(path: Path) -> Array:
    """A `.npy` file, left on disk until it is read from.

    Raises:
        UsageError, InputError: There is none, or it is no array of numbers.
    """
    import numpy as np

    try:
        array = open_npy(path)
    except OSError as error:
        raise unreadable(path, error) from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} is not a .npy array of samples.", "Write it with numpy.save.")
    return array


def load_archive(path: Path) -> dict[str, Array]:
    """The arrays of a `.npz` file by their names, in memory.

    Raises:
        InputError: It is no such file, or holds more than 4 GB.
    """
    import zipfile

    import numpy as np

    try:
        require_regular(path)
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _LARGEST_FILE:
            raise InputError(
                f"{path} holds {size:,} bytes of arrays, too many to be in memory.",
                "Give a folder of .npz files, one for each sample.",
            )
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except OSError as error:
        raise unreadable(path, error) from error
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib and numpy each have errors of their own
        raise InputError(
            f"{path} is not a .npz file of arrays, or is damaged.",
            "Write it with numpy.savez, without pickled objects.",
        ) from error
    return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}


def shape_text(spec: TensorSpec) -> str:
    """`x, float32 [1, 3, 8, 16]`."""
    return f"{spec.name}, {spec.dtype} {list(spec.shape)}"


def is_empty(shape: tuple[int, ...]) -> bool:
    """Whether an array of the shape holds nothing."""
    return math.prod(shape) == 0


Feeds = Mapping[str, "Array"]
