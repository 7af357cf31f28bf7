"""Runs a model once in ONNX Runtime on seeded random inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mobileq.errors import InputError
from mobileq.graph.input_domains import input_domains, masks
from mobileq.graph.outline import dims as dims_of
from mobileq.graph.outline import graph_inputs
from mobileq.onnx_runtime import SessionError, SessionOptions, open_session

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from onnx import ModelProto

    Array = npt.NDArray[np.generic]
    Run = Callable[[Mapping[str, Array]], dict[str, Array]]

_THREADS = 2


def random_inputs(
    model: ModelProto, seed: int, *, signed: bool = False
) -> dict[str, npt.NDArray[np.generic]]:
    """Input name -> array of the model's own shape: floats in [0, 1), bytes over their whole range.

    With `signed` floats are of both signs, most under 4, some zero.
    Wider integers are indices or sizes more often than pixels and stay 0 or 1, but for those of
    which a node asks more (`input_domains`).
    """
    import numpy as np
    from onnx import helper

    generator = np.random.default_rng(seed)
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    domains = input_domains(model)
    for value in graph_inputs(model):
        dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        shape = dims_of(value) or ()
        if dtype.kind in "iu" and value.name in domains:
            arrays[value.name] = domains[value.name](generator, shape).astype(dtype)
        elif dtype == np.uint8:
            arrays[value.name] = generator.integers(0, 256, shape, dtype=np.uint8)
        elif dtype.kind == "b":
            arrays[value.name] = masks(generator, shape)
        elif dtype.kind in "iu":
            arrays[value.name] = generator.integers(0, 2, shape).astype(dtype)
        elif dtype.kind == "f":
            drawn = generator.random(shape, dtype=np.float32)
            if signed:
                drawn = generator.standard_normal(shape, np.float32) * np.float32(2.0)
                drawn *= generator.integers(0, 8, shape) > 0
            arrays[value.name] = drawn.astype(dtype)
        else:
            kind = "text" if dtype.kind == "O" else f"numbers of the type {dtype}"
            raise InputError(
                f"The input '{value.name}' takes {kind}, which no runtime of a phone does.",
                "Export the model with a float32 or uint8 input.",
            )
    return arrays


def run(
    model: ModelProto, inputs: dict[str, npt.NDArray[np.generic]]
) -> dict[str, npt.NDArray[np.generic]]:
    """Output name -> array.

    Raises:
        InputError: ONNX Runtime refuses the model or fails to run it.
    """
    return open_run(model)(inputs)


def open_run(model: ModelProto) -> Run:
    """A function that runs the model, for more than one set of inputs.

    Raises:
        InputError: ONNX Runtime refuses the model. The function raises it where a run fails.
    """
    import numpy as np

    options = SessionOptions(threads=_THREADS, optimization="basic", fatal_only=True)
    with _told():
        session = open_session(model, options)
    names = session.output_names

    def run_once(inputs: Mapping[str, Array]) -> dict[str, Array]:
        with _told():
            results = session.run(names, inputs)
        return {name: np.asarray(result) for name, result in zip(names, results, strict=True)}

    return run_once


@contextmanager
def _told() -> Iterator[None]:
    """It is the model's fault, whose inputs are our own."""
    try:
        yield
    except SessionError as error:
        raise InputError(
            f"ONNX Runtime cannot run the model: {error.reason[:300].rstrip('. ')}.",
            "Export the model again, with another opset if need be.",
        ) from error
