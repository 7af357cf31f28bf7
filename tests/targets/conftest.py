"""Conversions, each made once for all tests: they take about a second."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mobileq.logfile import log_path
from mobileq.targets.hosted import kept_children

from .tiny import TinyFile, TinyModel, kept, make


@pytest.fixture(scope="session", autouse=True)
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the tools print lands here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOBILEQ_LOG_DIR", str(tmp_path_factory.mktemp("logs")))
        log_path.cache_clear()
        yield log_path()
    log_path.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def children(log_file) -> Iterator[None]:
    """Runners of a file's tests take turns in one child."""
    with kept_children():
        yield


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], TinyModel]:
    """The model of that name in `tiny.MODELS`."""
    return functools.cache(lambda name: make(name, tmp_path_factory.mktemp(name)))


@pytest.fixture(scope="session")
def convert(tiny: Callable[[str], TinyModel]) -> Callable[..., TinyFile]:
    """(model name, precision, io, **options of `TinyModel.job`) -> its conversion."""

    @functools.cache
    def converted(name: str, precision: str, io: str = "float32", **options) -> TinyFile:
        model = tiny(name)
        job = model.job(model.path.parent, precision, io, **options)
        return TinyFile(model, job.output, kept().convert(job))

    return converted
