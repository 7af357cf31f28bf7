"""Layers are revised in a child, next to their sessions."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import onnx
import pytest

from mobileq.progress import Silent
from mobileq.quantize.repairs import handler
from mobileq.quantize.repairs.handler import LayerHandler
from mobileq.quantize.repairs.hosted import revised
from mobileq.quantize.repairs.layerwise import Layer

from .conftest import Samples, ranges_over, revise_layers


@pytest.mark.parametrize("repair", handler.REVISIONS)
def test_child_makes_the_same_model(uneven: onnx.ModelProto, samples: Samples, repair: str) -> None:
    ranges = ranges_over(samples)(uneven)
    before = uneven.SerializeToString(deterministic=True)
    made = revised(uneven, samples, ranges, ("m",), repair=repair, stage="", progress=Silent())
    revise = handler.REVISIONS[repair]
    assert made == revise_layers(uneven, samples, ranges, ("m",), revise) != uneven
    assert uneven.SerializeToString(deterministic=True) == before


@pytest.fixture
def openblas() -> Iterator[ctypes.CDLL]:
    """numpy's, with two threads, as it has them in a program that imports numpy first."""
    library = ctypes.CDLL(import_module("numpy.linalg._umath_linalg").__file__)
    before = library.scipy_openblas_get_num_threads64_()
    library.scipy_openblas_set_num_threads64_(2)
    yield library
    library.scipy_openblas_set_num_threads64_(before)


def test_weights_are_fitted_with_one_thread_of_openblas(
    uneven: onnx.ModelProto,
    samples: Samples,
    openblas: ctypes.CDLL,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []

    def look(layer: Layer) -> tuple[Any, Any]:
        seen.append(openblas.scipy_openblas_get_num_threads64_())
        return layer.weights, layer.bias

    monkeypatch.setattr(handler, "REVISIONS", {"look": look})
    path = tmp_path / "model.onnx"
    onnx.save(uneven, path)
    ranges = msgspec.to_builtins(ranges_over(samples)(uneven))
    fields = {"model": str(path), "ranges": ranges, "keep_float": [], "repair": "look"}
    worker = LayerHandler()
    steps = worker.begin(fields, {})[0]["steps"]
    for feeds in samples:
        worker.sample({}, feeds)
    for _ in range(steps):
        worker.step({}, {})
    assert seen == [1, 1, 1]
    assert openblas.scipy_openblas_get_num_threads64_() == 2
