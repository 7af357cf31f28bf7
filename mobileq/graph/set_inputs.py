"""Makes inputs constants: what a phone would feed with every frame the same is part of the model.

RT-DETR and D-FINE take the picture's width and height beside the picture (`orig_target_sizes`),
others a threshold or a mask.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileq.array_file import open_npy
from mobileq.errors import InputError, UsageError, unreadable
from mobileq.graph.outline import DYNAMIC, dims, dtype_name, graph_inputs

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import ModelProto, ValueInfoProto

    Array = npt.NDArray[Any]

_LARGEST = 2**27
"""Values, as of any input."""
_TOLD = 4096
"""Values up to which a manifest and a recipe repeat what was set; of more they tell the hash."""
_LONGEST_TEXT = 1 << 16
_EXAMPLE = "Write it like --set orig_target_sizes=[[640,640]], or name a .npy file."


def parse_set_inputs(options: Iterable[str]) -> dict[str, Array]:
    """`["sizes=[640,640]", "threshold=0.5", "mask=mask.npy"]` -> arrays by input name.

    The first equals sign ends the name. Numbers, `true` and `false`, and lists of them are JSON.

    Raises:
        UsageError: No name or no value, a list whose rows differ in length, or a name given twice.
        InputError: A .npy file cannot be used.
    """
    found: dict[str, Array] = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not equals or not name or not text.strip():
            raise UsageError(f"--set {option} cannot be used: it is not NAME=VALUE.", _EXAMPLE)
        if name in found:
            raise UsageError(f"--set gives the input '{name}' twice.", "Give it once.")
        text = text.strip()
        found[name] = _load(Path(text)) if text.lower().endswith(".npy") else _parse(name, text)
    return found


def _parse(name: str, text: str) -> Array:
    import numpy as np

    if text.startswith("sha256:"):
        raise UsageError(
            f"The recipe was made with an array for the input '{name}' that is too large for it.",
            f"Give it again: --set {name}=FILE.npy.",
        )
    try:
        array = np.array(json.loads(text) if len(text) <= _LONGEST_TEXT else None)
    except (ValueError, RecursionError, OverflowError):
        array = np.array(None)
    if array.dtype.kind not in "biuf" or not array.size:
        shown = text if len(text) <= 60 else text[:60] + "..."
        raise UsageError(
            f"--set {name}={shown} cannot be used: it is no number, nor a list of them with rows "
            "of the same length.",
            _EXAMPLE,
        )
    return array


def _load(path: Path) -> Array:
    import numpy as np

    try:
        array = open_npy(path)
    except FileNotFoundError as error:
        raise UsageError(f"There is no file {path}.", "Check the path in --set.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf" or not array.size:
        raise InputError(f"{path} is not a .npy array of numbers.", "Write it with numpy.save.")
    return np.array(array)


def set_inputs(
    model: ModelProto, values: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[ModelProto, dict[str, str]]:
    """A copy in which these inputs are constants, and each one's value as `--set` takes it.

    A value is broadcast to the input's shape as numpy does it; a dynamic dimension takes the
    value's own, 1 where it has none there.

    Args:
        model: A model; its shapes may be dynamic.
        values: By input name.
        shapes: What inputs are to be fixed to (`--input-shape`).

    Raises:
        UsageError: An unknown input, the wrong shape or type, or no input would be left.
    """
    import onnx
    from onnx import numpy_helper

    if not values:
        return model, {}
    inputs = {value.name: value for value in graph_inputs(model)}
    for name in values:
        if name not in inputs:
            raise UsageError(
                f"--set names the input '{name}', which the model has not.",
                f"Its inputs are: {', '.join(inputs)}.",
            )
    if len(values) == len(inputs):
        raise UsageError(
            "--set would leave the model without an input.", "Leave out the one that is to be fed."
        )
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    arrays = {
        name: _fitting(inputs[name], value, shapes.get(name)) for name, value in values.items()
    }
    kept = [value for value in fixed.graph.input if value.name not in arrays]
    del fixed.graph.input[:]
    fixed.graph.input.extend(kept)
    fixed.graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in arrays.items()
    )
    fixed.ir_version = max(fixed.ir_version, 4)  # before, each constant had to be an input as well
    return fixed, {name: _text(array) for name, array in arrays.items()}


def _fitting(value: ValueInfoProto, array: Array, wanted: tuple[int, ...] | None) -> Array:
    """The array in the input's shape and type. Raises UsageError where it can't be that."""
    import numpy as np

    name, present = value.name, dims(value)
    shape = _shape(wanted or present, array.shape)
    if wanted is not None and present is not None:
        clash = len(wanted) != len(present) or any(
            old not in (DYNAMIC, new) for old, new in zip(present, wanted, strict=True)
        )
        shape = None if clash else shape
    if shape is None or math.prod(shape) > _LARGEST:
        expected = wanted or present or ()
        listed = ", ".join("?" if dim == DYNAMIC else str(dim) for dim in expected)
        raise UsageError(
            f"--set gives the input '{name}' the shape {list(array.shape)}; it is [{listed}].",
            "Give a value of that shape, or a number for all of it.",
        )
    kind = dtype_name(value.type.tensor_type.elem_type)
    try:
        dtype = np.dtype(kind)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind not in "biuf":
        raise UsageError(
            f"--set can't fill the input '{name}', which holds {kind}.", "Export it without."
        )
    with np.errstate(all="ignore"):
        typed = array.astype(dtype)
        # Floats are rounded to the input's type; everything else must come through unchanged.
        same = dtype.kind == "f" or np.array_equal(typed, array)
        same = same and (array.dtype.kind == "b") <= (dtype.kind == "b")
        same = same and not (np.isinf(typed.astype(np.float64)) & np.isfinite(array)).any()
    if not same:
        raise UsageError(
            f"--set gives the input '{name}' values that its type {kind} can't hold.",
            f"Give {'true or false' if dtype.kind == 'b' else f'values of {kind}'}.",
        )
    return np.ascontiguousarray(np.broadcast_to(typed, shape)).reshape(shape)


def _shape(expected: tuple[int, ...] | None, own: tuple[int, ...]) -> tuple[int, ...] | None:
    """The input's shape with its dynamic dimensions filled in; None where the value's is none."""
    if expected is None:
        return own
    if len(own) > len(expected):
        return None
    aligned = (1,) * (len(expected) - len(own)) + own
    found = tuple(
        mine if dim == DYNAMIC else dim for dim, mine in zip(expected, aligned, strict=True)
    )
    fits = all(mine in (1, dim) for dim, mine in zip(found, aligned, strict=True))
    return found if fits else None


def _text(array: Array) -> str:
    """What `--set` takes for the same array."""
    import hashlib

    if array.size <= _TOLD:
        return json.dumps(array.tolist())
    return f"sha256:{hashlib.sha256(array.tobytes()).hexdigest()}"
