from __future__ import annotations

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st

from mobileq.quantize.repairs.layerwise import rounded, scales
from mobileq.quantize.repairs.weight_rounding import Window, compensated, round_weights

from .conftest import Samples, int8_sqnr, network, ranges_over, revise_layers, run


def _problem(seed: int, groups: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights, and moments of inputs that depend on each other."""
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=(groups, 4, inputs))
    mixed = generator.normal(size=(groups, 400, inputs)) @ generator.normal(
        size=(groups, inputs, inputs)
    )
    return weights, mixed.transpose(0, 2, 1) @ mixed / 400


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 150))
def test_a_target_finds_the_same_multiples(seed: int, groups: int, inputs: int) -> None:
    weights, moments = _problem(seed, groups, inputs)
    found = compensated(weights, moments).reshape(-1, inputs).astype(np.float32)
    np.testing.assert_allclose(
        scales(found), scales(weights.reshape(-1, inputs)), rtol=1e-5, atol=0
    )
    np.testing.assert_allclose(rounded(found), found, rtol=1e-5, atol=1e-7)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_outputs_lose_less_than_with_nearest_multiples(seed: int) -> None:
    weights, moments = _problem(seed, 2, 40)
    nearest = rounded(weights.reshape(8, 40)).reshape(weights.shape)

    def loss(found: np.ndarray) -> float:
        error = found - weights
        return float(np.einsum("goi,gij,goj->", error, moments, error))

    assert loss(compensated(weights, moments)) < 0.8 * loss(nearest)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([1, 2, 4, 8]),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(*[st.integers(0, 2)] * 4),
)
def test_patches_times_weights_are_the_convolution(
    samples: Samples,
    group: int,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    pads: tuple[int, int, int, int],
) -> None:
    weights = np.random.default_rng(1).normal(size=(8, 8 // group, *kernel)).astype(np.float32)
    model = network(
        f"y = Conv <group = {group}, strides = {list(strides)}, dilations = {list(dilations)},"
        f" pads = {list(pads)}> (x, w)",
        {"w": weights},
    )
    patches = Window.of(model.graph.node[0], weights).patches([samples[0]["x"]])
    found = patches @ weights.reshape(group, 8 // group, -1).transpose(0, 2, 1)
    (wanted,) = run(model, samples[:1])
    # All places are looked at, in an order of their own.
    np.testing.assert_allclose(
        np.sort(found.transpose(0, 2, 1).reshape(8, -1), axis=1),
        np.sort(wanted["y"].reshape(8, -1), axis=1),
        rtol=1e-4,
        atol=1e-4,
    )


def test_network_loses_less_on_samples_that_were_not_looked_at(
    uneven: onnx.ModelProto, samples: Samples
) -> None:
    ranges, reference = ranges_over(samples)(uneven), run(uneven, samples[4:])
    made = revise_layers(uneven, samples[:4], ranges, (), round_weights)
    before = int8_sqnr(uneven, reference, samples[4:], ranges)
    after = int8_sqnr(made, reference, samples[4:], ranges)
    assert after > before + 1.0
