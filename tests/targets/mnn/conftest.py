"""Conversions to MNN."""

from __future__ import annotations

import dataclasses
import functools

import pytest

from mobileq.targets.mnn.target import MnnTarget

from ..tiny import TinyFile, kept


@pytest.fixture(scope="module")
def convert(tiny, tmp_path_factory):
    """(model name, precision, **options of `TinyModel.job`) -> its conversion."""

    @functools.cache
    def converted(name: str, precision: str, **options) -> TinyFile:
        folder = tmp_path_factory.mktemp(f"{name}-{precision}")
        job = tiny(name).job(folder, precision, **options)
        job = dataclasses.replace(job, output=folder / f"{name}.mnn")
        return TinyFile(tiny(name), job.output, kept(MnnTarget).convert(job))

    return converted
