"""`.npy` files that a person named, and `.npz` files for one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.errors import InputError
from mobileq.regular_file import require_regular

if TYPE_CHECKING:
    import numpy.typing as npt


def open_npy(path: Path) -> npt.NDArray[Any]:
    """The array of a `.npy` file, left on disk until it is read from.

    Raises:
        OSError: It cannot be opened, or is no regular file.
        InputError: It is no such array, or cut short.
    """
    import numpy as np

    try:
        require_regular(path)
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception as error:  # numpy 2.2 reads the header as Python and lets its errors through
        raise InputError(
            f"{path} is not a .npy array of numbers, or is cut short.",
            "Write it with numpy.save, without pickled objects.",
        ) from error
    return array


def write_npz(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays by name. `numpy.savez` takes names as keywords, and has some of its own."""
    import zipfile

    import numpy as np

    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.save(file, array, allow_pickle=False)
