"""The numbers that the weights of float convolutions become."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import numpy as np
import pytest

from mobileq.graph import eight_bits
from mobileq.quantize.repairs.layerwise import rounded
from mobileq.targets.mnn.graph import Convolution
from mobileq.targets.mnn.target import MnnTarget
from mobileq.targets.mnn.weights import store_of_float

from ..tiny import TinyFile, kept, make, sqnr_db
from .conversions import outputs_of

MANY = np.random.default_rng(0).normal(0.1, 1.0, (8, 2000)).astype(np.float32)


def _read_back(weights: np.ndarray, repaired: bool) -> np.ndarray:
    """As MNN has them, when they are 8-bit ones of a float convolution."""
    main: dict[str, Any] = {"weight": weights.ravel()}
    store_of_float(Convolution({"main": main}, weights), weights.size, repaired=repaired)
    packed = main["quanParameter"]
    lowest, step = packed["alpha"].reshape(-1, 2, 1).transpose(1, 0, 2)
    codes = packed["buffer"].reshape(weights.shape).astype(np.float64)
    return lowest + (codes - packed["aMin"]) * step


def test_weights_that_were_rounded_by_repairs_are_not_rounded_again() -> None:
    made = rounded(MANY)
    np.testing.assert_allclose(_read_back(made, repaired=True), made, rtol=1e-6, atol=1e-7)
    again = np.abs(_read_back(made, repaired=False) - made)
    assert again.max() > 0.3 * np.abs(made).max() / 127, "codes of another kind"


def test_what_repairs_take_out_of_biases_is_what_the_codes_make_of_weights() -> None:
    np.testing.assert_allclose(_read_back(MANY, repaired=True), rounded(MANY), rtol=1e-6, atol=1e-7)


def test_weights_that_no_repair_has_seen_get_the_finer_steps() -> None:
    shifted = MANY + 2
    errors = [np.abs(_read_back(shifted, repaired) - shifted).mean() for repaired in (False, True)]
    assert errors[0] < 0.9 * errors[1]


@pytest.mark.parametrize(
    ("repairs", "is_other"),
    [
        (("input-scaling",), False),
        (("input-scaling", "weight-shift"), True),
        (("compensated-rounding", "weight-shift"), True),
    ],
)
def test_the_repairs_of_the_recipe_decide(monkeypatch, tmp_path, repairs, is_other) -> None:
    monkeypatch.setattr(eight_bits, "_MANY_WEIGHTS", 0)
    model = make("depthwise", tmp_path)
    job = model.job(tmp_path, "int8", keep_float=("y",))
    found = []
    for names in ((), repairs):
        recipe = msgspec.structs.replace(job.recipe, repairs=names)
        output = tmp_path / f"{len(names)}.mnn"
        converted = kept(MnnTarget).convert(dataclasses.replace(job, recipe=recipe, output=output))
        found.append(outputs_of(TinyFile(model, output, converted))["y"])
    assert (not np.array_equal(*found)) == is_other
    assert min(sqnr_db(model.wanted["y"], each) for each in found) > 30
