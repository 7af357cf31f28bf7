"""Conversions to ONNX Runtime."""

from __future__ import annotations

import dataclasses
import functools
from contextlib import closing

import pytest

from mobileq.targets.onnxruntime.target import OrtTarget

from ..tiny import TinyFile


@pytest.fixture(scope="session")
def target():
    """Kept, with its child, for all conversions."""
    with closing(OrtTarget()) as kept:
        yield kept


@pytest.fixture(scope="session")
def convert(tiny, target, tmp_path_factory):
    """(model name, precision, **options of `TinyModel.job`) -> its conversion."""

    @functools.cache
    def converted(name: str, precision: str, **options) -> TinyFile:
        folder = tmp_path_factory.mktemp(f"{name}-{precision}")
        job = tiny(name).job(folder, precision, **options)
        job = dataclasses.replace(job, output=folder / f"{name}.onnx")
        return TinyFile(tiny(name), job.output, target.convert(job))

    return converted
