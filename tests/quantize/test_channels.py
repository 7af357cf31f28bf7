"""What each channel counts, by the task's gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobileq.progress import Silent
from mobileq.quantize.channels import channel_squares
from mobileq.tasks.noise import NoiseReference

from .small_models import Given, prepared_in

FACTORS = np.float32([0.0, 0.5, -2.0, 3.0]).reshape(4, 1, 1)


def squares(
    body: str, folder: Path, feeds: list[dict[str, np.ndarray]], tensors: list[str], opset: int
) -> dict[str, np.ndarray]:
    graph = f"g (float[1,4,4,4] x) => (float[1,4,4,4] y) {{ {body} }}"
    path, prepared = prepared_in(folder, graph, {"factors": FACTORS}, opset)
    samples = list(Given(feeds).at(range(len(feeds))))
    return channel_squares(path, prepared.spec, tensors, samples, Silent())


@pytest.fixture
def feeds() -> list[dict[str, np.ndarray]]:
    numbers = np.random.default_rng(5)
    return [{"x": numbers.normal(0, 1, (1, 4, 4, 4)).astype(np.float32)} for _ in range(3)]


@pytest.mark.parametrize("opset", [13, 18])
def test_sums_of_squared_gradients_by_channel(
    tmp_path: Path, feeds: list[dict[str, np.ndarray]], opset: int
) -> None:
    body = "c = Exp(x) h = Relu(c) y = Mul(h, factors)"
    found = squares(body, tmp_path, feeds, ["c"], opset)
    wanted = np.zeros(4)
    for seed, each in enumerate(feeds):
        y = np.exp(each["x"]) * FACTORS
        slopes = NoiseReference({"y": y}).slopes(np.random.default_rng(seed))["y"]
        wanted += np.sum((slopes * FACTORS) ** 2.0, (0, 2, 3)) / len(feeds)
    np.testing.assert_allclose(found["c"], wanted, rtol=1e-4)


def test_nothing_where_there_is_no_way_back(
    tmp_path: Path, feeds: list[dict[str, np.ndarray]]
) -> None:
    body = "c = Exp(x) h = Round(c) y = Mul(h, factors)"
    assert squares(body, tmp_path, feeds, ["c"], 17) == {}
    assert squares(body, tmp_path, feeds, ["h"], 17).keys() == {"h"}


def test_nothing_of_what_does_not_count(tmp_path: Path, feeds: list[dict[str, np.ndarray]]) -> None:
    body = "c = Exp(x) h = Sub(c, c) y = Mul(h, factors)"
    assert squares(body, tmp_path, feeds, ["c"], 17) == {}
