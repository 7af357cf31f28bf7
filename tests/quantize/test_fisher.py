"""Importance of activations: squared gradients of the task's error, in the histograms' bins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from mobileq.calibration.ranges import estimate
from mobileq.calibration.statistics import Statistics, collect
from mobileq.graph.outline import producers
from mobileq.graph.shapes import value_counts
from mobileq.preparation.prepare import prepare
from mobileq.progress import Progress, Silent
from mobileq.quantize.fisher import FEW, Gradients, expected_errors, weighed_statistics
from mobileq.quantize.fisher_handler import Thinning
from mobileq.quantize.squares import shared_among_neighbours
from mobileq.tasks.noise import NoiseReference
from tests.graph.builders import model_of
from tests.graph.gradients.finite_differences import outputs_of, session

from .small_models import Given, prepared_in

COUNT = 3
FACTORS = np.float32([0.0, 0.5, -2.0, 3.0])


def weighed(
    body: str,
    folder: Path,
    feeds: list[dict[str, np.ndarray]],
    progress: Progress | None = None,
    constants: dict[str, np.ndarray] | None = None,
    outputs: str = "float[1,4,4,4] y",
    **options: Any,
) -> Statistics:
    graph = f"g (float[1,4,4,4] x) => ({outputs}) {{ {body} }}"
    path, prepared = prepared_in(folder, graph, constants or {"factors": FACTORS.reshape(4, 1, 1)})
    listener = progress or Silent()
    return weighed_statistics(
        path, prepared.model, prepared.spec, Given(feeds), listener, **options
    )


@pytest.fixture
def feeds() -> list[dict[str, np.ndarray]]:
    numbers = np.random.default_rng(5)
    return [
        {"x": numbers.normal(0, 1, (1, 4, 4, 4)).astype(np.float32)} for _ in range(COUNT)
    ]  # fmt: skip


def test_importance_is_the_squared_gradient_behind_the_function(
    tmp_path: Path, feeds: list[dict[str, np.ndarray]]
) -> None:
    body = "c = Exp(x) d = Sub(c, factors) h = Relu(d) y = Mul(h, factors)"
    found = weighed(body, tmp_path, feeds)
    importance = found.tensors["d"].importance
    assert importance is not None
    wanted = np.zeros(len(importance.counts))
    for seed, each in enumerate(feeds):
        d = np.exp(each["x"]) - FACTORS.reshape(4, 1, 1)
        y = np.maximum(d, 0) * FACTORS.reshape(4, 1, 1)
        # Of what Relu gives, not of what it takes, where it would be 0 for half of the values.
        slopes = NoiseReference({"y": y}).slopes(np.random.default_rng(seed))["y"]
        gradient = slopes * FACTORS.reshape(4, 1, 1)
        bins = np.floor(d.ravel() / importance.width).astype(int) - importance.first
        wanted += np.bincount(bins, gradient.ravel() ** 2.0, len(wanted)) / COUNT
    wanted = shared_among_neighbours(wanted, found.tensors["d"].histogram)
    # A value at the edge of a bin may fall into the next.
    np.testing.assert_allclose(np.cumsum(importance.counts), np.cumsum(wanted), rtol=0.05)
    assert importance.counts.sum() == pytest.approx(wanted.sum(), rel=1e-5)
    # It is the same again, whichever sample is done first.
    again = weighed(body, tmp_path, feeds)
    assert np.array_equal(again.tensors["d"].importance.counts, importance.counts)


def test_probabilities_that_are_given_keep_their_range(
    tmp_path: Path, feeds: list[dict[str, np.ndarray]]
) -> None:
    found = weighed("h = Mul(x, factors) y = Softmax(h)", tmp_path, feeds)
    assert found.tensors["h"].importance is not None
    assert found.tensors["y"].importance is None
    within = weighed("s = Softmax(x) y = Mul(s, factors)", tmp_path, feeds)
    assert within.tensors["s"].importance is not None


def test_way_back_that_cannot_be_run_is_told_and_ranges_do_without(
    tmp_path: Path, feeds: list[dict[str, np.ndarray]]
) -> None:
    found = weighed("y = Mul(x, factors)", tmp_path, feeds)
    assert found.tensors["x"].importance is not None
    path = tmp_path / "prepared.onnx"
    model, spec, progress = onnx.load(path), prepare(path).spec, Silent()
    plain = collect(path.read_bytes(), None, feeds, Silent())
    path.write_bytes(path.read_bytes()[:100])
    found = weighed_statistics(path, model, spec, Given(feeds), progress, known=plain)
    assert found.tensors == plain.tensors, "none of them made anew"
    (notice,) = progress.notices
    assert notice.startswith("Ranges are chosen without the task's gradients: ")


def test_statistics_are_there_where_no_way_back_is(
    tmp_path: Path, feeds: list[dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobileq.quantize.fisher._HANDLER", "mobileq.quantize.fisher:Nothing")
    progress = Silent()
    found = weighed("y = Mul(x, factors)", tmp_path, feeds, progress)
    plain = collect((tmp_path / "prepared.onnx").read_bytes(), None, feeds, Silent())
    assert told(found) == told(plain)
    (notice,) = progress.notices
    assert notice.startswith("Ranges are chosen without the task's gradients: ")


def told(statistics: Statistics, *, importance: bool = True) -> dict[str, Any]:
    """To compare."""
    return {
        name: (
            each.min,
            each.max,
            each.average_min,
            each.mean,
            each.variance,
            each.histogram.counts.tolist(),
            each.channels is not None and each.channels.mean.tolist(),
            importance and each.importance is not None and each.importance.counts.tolist(),
        )
        for name, each in statistics.tensors.items()
    }


@pytest.mark.parametrize("samples", [2, 3, 64])
def test_one_pass_for_both_tells_what_two_do(
    tmp_path: Path, feeds: list[dict[str, np.ndarray]], samples: int
) -> None:
    body = "c = Exp(x) s = Sigmoid(c) d = Mul(c, s) h = Softmax<axis = 1>(d) y = Mul(h, factors)"
    options = {"gradients": Gradients(samples, FEW.stride), "fixed": ("Sigmoid",)}
    # Of another sample its values are outside of the first's bins.
    feeds[1]["x"] *= 2
    found = weighed(body, tmp_path, feeds, **options)
    path = tmp_path / "prepared.onnx"
    plain = collect(path.read_bytes(), None, feeds, Silent())
    assert told(found, importance=False) == told(plain, importance=False)
    prepared = prepare(path)
    again = weighed_statistics(
        path, prepared.model, prepared.spec, Given(feeds), Silent(), known=plain, **options
    )
    assert told(again) == told(found)
    weighed_ones = {name for name, each in found.tensors.items() if each.importance is not None}
    assert weighed_ones >= {"c", "d", "h"}
    assert "s" not in weighed_ones


def test_of_a_model_that_is_cut_all_tensors_have_statistics(
    tmp_path: Path, feeds: list[dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What sorts in the graph gives no gradient; ranges of what is behind it are wanted all the
    same."""
    body = "c = Conv(x, weights) f = Flatten(c) v, i = TopK(f, k) y = Mul(v, v)"
    weights = np.random.default_rng(1).normal(0, 1, (4, 4, 1, 1)).astype(np.float32)
    constants = {"weights": weights, "k": np.array([2])}
    found = weighed(body, tmp_path, feeds, constants=constants, outputs="float[1,2] y")
    assert found.tensors["c"].importance is not None
    assert "y" in found.tensors


def test_tensor_that_no_gradient_reaches_has_none(
    tmp_path: Path, feeds: list[dict[str, np.ndarray]]
) -> None:
    body = "a = Abs(x) b = Asinh(a) y = Mul(b, factors)"
    progress = Silent()
    found = weighed(body, tmp_path, feeds, progress)
    assert found.tensors["b"].importance is not None
    assert found.tensors["a"].importance is None
    (notice,) = progress.notices
    assert "which don't go through Asinh." in notice
    assert "2 ranges of 4 " in notice


def test_of_large_tensors_some_values_stand_for_all(
    tmp_path: Path,
) -> None:
    numbers = np.random.default_rng(7)
    x = numbers.normal(0, 1, (1, 3, 160, 160)).astype(np.float32)
    graph = "g (float[1,3,160,160] x) => (float[1,3,160,160] y) { h = Relu(x) y = Mul(h, h) }"
    path, prepared = prepared_in(tmp_path, graph, {})
    found = weighed_statistics(path, prepared.model, prepared.spec, Given([{"x": x}]), Silent())
    importance = found.tensors["h"].importance
    assert importance is not None
    h = np.maximum(x, 0)
    slopes = NoiseReference({"y": h * h}).slopes(np.random.default_rng(0))["y"]
    every = ((2 * h * slopes) ** 2.0).sum()
    assert importance.counts.sum() == pytest.approx(every, rel=0.05)
    assert importance.counts.sum() != pytest.approx(every, rel=1e-6), "a third of them"


def test_expected_errors_are_what_rounding_one_tensor_costs(
    tmp_path: Path, feeds: list[dict[str, np.ndarray]]
) -> None:
    body = "c = Exp(x) d = Sub(c, factors) h = Relu(d) y = Mul(h, factors)"
    found = weighed(body, tmp_path, feeds)
    model = onnx.load(tmp_path / "prepared.onnx")
    spec = prepare(tmp_path / "prepared.onnx").spec
    ranges = estimate(found, "min_max")
    errors = expected_errors(model, spec, found, ranges)
    factors = FACTORS.reshape(4, 1, 1)
    real = []
    for each in feeds:
        h = np.maximum(np.exp(each["x"]) - factors, 0)
        scale = (ranges["h"].max - ranges["h"].min) / 255
        zero = np.round(-ranges["h"].min / scale)
        rounded = (np.clip(np.round(h / scale) + zero, 0, 255) - zero) * scale
        real.append(NoiseReference({"y": h * factors}).error({"y": rounded * factors}))
    assert errors["h"] == pytest.approx(np.mean(real), rel=0.25)
    assert set(errors) <= set(found.tensors)
    without = {name: each for name, each in ranges.items() if name != "h"}
    assert "h" not in expected_errors(model, spec, found, without)


@pytest.mark.parametrize(
    ("body", "is_sliced"),
    [
        ("a = Neg(x) s = Sigmoid(a) h = Mul(a, s)", {"x": True, "a": False, "h": False}),
        ("a = Clip(x, low, high) h = Add(a, x)", {"x": True, "a": False, "h": False}),
        ("a = Mul(x, factors) h = Concat<axis = 1>(x, a)", {"x": True, "a": True, "h": True}),
        ("a, b = Split<axis = 1>(x, half) h = Concat<axis = 1>(b, a)", {"x": True, "h": True}),
    ],
)
def test_thinned_values_are_every_third_whatever_makes_them(
    body: str, is_sliced: dict[str, bool]
) -> None:
    text = f"g (float[1,4,160,160] x) => (float[1,?,160,160] h) {{ {body} }}"
    numbers = {"low": np.float32(-0.5), "high": np.float32(0.7), "half": np.array([2, 2])}
    model = model_of(text, {**numbers, "factors": FACTORS.reshape(4, 1, 1)})
    model = onnx.shape_inference.infer_shapes(model)
    model.graph.output.extend(value for value in model.graph.value_info if value.name == "a")
    feeds = {"x": np.random.default_rng(1).normal(0, 1, (1, 4, 160, 160)).astype(np.float32)}
    whole = {**feeds, **outputs_of(session(model), feeds)}
    thinning = Thinning(model.graph, 3, value_counts(model))
    names = {name: thinning(name) for name in is_sliced}
    found = outputs_of(session(model), feeds)
    made_by = producers(model.graph)
    for name, given in names.items():
        assert found[given].tolist() == whole[name].reshape(-1)[::3].tolist()
        assert (made_by[given].op_type == "Slice") == is_sliced[name]
        assert thinning(name) == given
