"""What is measured of a model is measured in as few runs as it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from msgspec.structs import replace

from mobileq.calibration.samples import Sample, SampleSet
from mobileq.calibration.statistics import FirstLook
from mobileq.progress import Silent
from mobileq.quantize.fisher import FEW, Watch, weighed_statistics
from mobileq.quantize.variants import Ranging, Variants
from mobileq.spec import ClassesSpec
from mobileq.tasks.base import Outputs

from .small_models import Given, prepared_in

COUNT, FIRST = 20, 8
SIZES = np.linspace(0.02, 2.0, 8).reshape(8, 1, 1, 1)
FISHER, MSE = Ranging("fisher", gradients=FEW), Ranging("mse")


class Counted(Given):
    """Notes what is read."""

    def __init__(self, feeds: list[dict[str, Any]]) -> None:
        super().__init__(feeds)
        self.read: list[int] = []

    def at(self, indices: Iterable[int]) -> Iterator[Sample]:
        for at in indices:
            self.read.append(at)
            yield from super().at([at])


Make = Callable[[np.ndarray], tuple[Variants, Counted]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Classifiers of two convolutions, of which the first gets these weights."""

    def made(weights: np.ndarray) -> tuple[Variants, Counted]:
        graph = """g (float[1,8,4,4] x) => (float[1,8] y) {
            c = Conv(x, w) r = Relu(c) d = Conv(r, v) m = GlobalAveragePool(d) y = Flatten(m) }"""
        eye = np.eye(8, dtype=np.float32).reshape(8, 8, 1, 1)
        path, prepared = prepared_in(tmp_path, graph, {"w": np.float32(weights), "v": eye})
        numbers = np.random.default_rng(3)
        feeds = [{"x": numbers.normal(size=(1, 8, 4, 4)).astype("f")} for _ in range(COUNT)]
        samples = Counted(feeds)
        spec = replace(prepared.spec, task="classify", classes=ClassesSpec(class_count=8))
        return Variants(path, spec, cast(SampleSet, samples), tmp_path, Silent()), samples

    return made


@pytest.mark.parametrize("ranging", [FISHER, MSE], ids=["fisher", "mse"])
def test_a_model_that_is_not_scaled_is_run_once(make: Make, ranging: Ranging) -> None:
    variants, samples = make(np.eye(8).reshape(8, 8, 1, 1))
    variants.begin(("input-scaling",), ranging)
    assert variants.scaled(ranging).sha256 == variants.given.sha256
    assert variants.ranges(variants.given, ranging).keys() >= {"x", "c", "d"}
    assert samples.read == [*range(COUNT - FIRST, COUNT), *range(COUNT - FIRST)]


@pytest.mark.parametrize("ranging", [FISHER, MSE], ids=["fisher", "mse"])
def test_of_one_that_is_scaled_a_few_samples_are_run(make: Make, ranging: Ranging) -> None:
    numbers = np.random.default_rng(4)
    variants, samples = make(numbers.normal(size=(8, 8, 1, 1)) * SIZES)
    variants.begin(("input-scaling",), ranging)
    scaled = variants.scaled(ranging)
    assert scaled.sha256 != variants.given.sha256
    # Of each pass one is read ahead, at most.
    assert samples.read[:FIRST] == list(range(COUNT - FIRST, COUNT))
    assert samples.read[-COUNT:] == list(range(COUNT))
    assert len(samples.read) <= FIRST + 1 + COUNT


def test_scaling_is_the_same_when_the_model_was_measured_before(make: Make) -> None:
    weights = np.random.default_rng(4).normal(size=(8, 8, 1, 1)) * SIZES
    first, _ = make(weights)
    scaled = first.scaled(MSE)
    other, samples = make(weights)
    other.begin((), FISHER)
    assert len(samples.read) == COUNT
    assert other.scaled(MSE).sha256 == scaled.sha256


def test_who_watches_is_told_in_the_order_of_the_samples(make: Make) -> None:
    variants, samples = make(np.eye(8).reshape(8, 8, 1, 1))
    told: list[str] = []

    def tell(sample: Sample, outputs: Outputs) -> None:
        told.append(sample.id)
        means = np.maximum(sample.feeds["x"], 0).mean(axis=(2, 3))
        np.testing.assert_allclose(outputs["y"], means, atol=1e-6)

    given = variants.given
    watch = Watch(range(2, COUNT), tell)
    weighed_statistics(
        given.onnx,
        given.model,
        variants._spec,
        samples,
        Silent(),
        watch=watch,
        first=FirstLook(FIRST, lambda found: None),
    )
    assert told == [str(at) for at in range(2, COUNT)]
