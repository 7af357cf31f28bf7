"""Products of integers, whose activations are rounded to what each inference finds in them."""

from __future__ import annotations

import onnx
import pytest
from onnx import numpy_helper

from mobileq.graph.outline import op_counts
from mobileq.graph.trial_run import random_inputs, run
from mobileq.targets.onnxruntime.dynamic import with_dynamic_ranges

from ..tiny import sqnr_db
from ..tiny_models import weights
from .conversions import model_of

PRODUCTS = {
    "conv": (
        "g (float[1,3,9,9] x) => (float[1,5,5,5] y) "
        "{ y = Conv<strides = [2, 2], pads = [1, 1, 1, 1]>(x, w, b) }",
        {"w": weights(5, 3, 3, 3), "b": weights(5, seed=1)},
    ),
    "conv1d": (
        "g (float[1,3,9] x) => (float[1,5,7] y) { y = Conv(x, w) }", {"w": weights(5, 3, 3)}
    ),
    "matmul": ("g (float[2,4,6] x) => (float[2,4,5] y) { y = MatMul(x, w) }", {"w": weights(6, 5)}),
    "gemm": (
        "g (float[4,6] x) => (float[4,5] y) { y = Gemm<transB = 1>(x, w, b) }",
        {"w": weights(5, 6), "b": weights(5, seed=1)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_with_weights_are_of_integers(name):
    model = model_of(PRODUCTS[name][0], **PRODUCTS[name][1])
    found = with_dynamic_ranges(model)
    onnx.checker.check_model(found, full_check=True)
    assert {"ConvInteger", "MatMulInteger"} & op_counts(found).keys()
    assert not {"Conv", "MatMul", "Gemm"} & op_counts(found).keys()
    kept = {numpy_helper.to_array(each).dtype.name for each in found.graph.initializer}
    assert "uint8" in kept
    inputs = random_inputs(model, 1, signed=True)
    assert 35 < sqnr_db(run(model, inputs)["y"], run(found, inputs)["y"]) < 60


def test_a_channel_of_small_weights_keeps_its_precision():
    kernel = weights(2, 3, 1, 1)
    kernel[1] /= 1000
    model = model_of("g (float[1,3,8,8] x) => (float[1,2,8,8] y) { y = Conv(x, w) }", w=kernel)
    inputs = random_inputs(model, 1)
    wanted, found = run(model, inputs)["y"], run(with_dynamic_ranges(model), inputs)["y"]
    assert sqnr_db(wanted[:, 1], found[:, 1]) > 35


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("(float[1,4,8,8] x) => (float[1,4,8,8] y) { y = Conv<group = 4>(x, w) }", (4, 1, 1, 1)),
        ("(float[1,4,8,8] x) => (float[1,4,8,8] y) { y = Conv<group = 2>(x, w) }", (4, 2, 1, 1)),
        ("(float[4,1,2,8] x) => (float[4,1,2,1] y) { y = MatMul(x, w) }", (4, 1, 8, 1)),
        ("(float[8,4] x) => (float[4,8] y) { y = Gemm<transA = 1>(x, w) }", (8, 8)),
    ],
)
def test_what_has_no_fast_kernel_stays_float(text, shape):
    model = model_of(f"g {text}", w=weights(*shape))
    assert op_counts(with_dynamic_ranges(model)) == op_counts(model)


def test_an_activation_is_rounded_once_for_all_that_take_it():
    model = model_of(
        """g (float[1,3,8,8] x) => (float[1,4,8,8] y, float[1,5,8,8] z) {
            y = Conv(x, w)
            z = Conv(x, v)
        }""",
        w=weights(4, 3, 1, 1), v=weights(5, 3, 1, 1),
    )  # fmt: skip
    assert op_counts(with_dynamic_ranges(model))["DynamicQuantizeLinear"] == 1


def test_weights_of_two_products_are_stored_once():
    model = model_of(
        """g (float[1,3,8,8] x) => (float[1,3,8,8] y) {
            a = Conv(x, w)
            y = Conv(a, w)
        }""",
        w=weights(3, 3, 1, 1),
    )  # fmt: skip
    found = with_dynamic_ranges(model)
    arrays = [numpy_helper.to_array(each) for each in found.graph.initializer]
    assert len([each for each in arrays if each.shape == (3, 3, 1, 1)]) == 1


def test_a_model_of_an_older_opset_is_converted_along():
    model = model_of(
        "g (float[1,3,8,8] x) => (float[1,2,8,8] y) { y = Conv(x, w) }", 9, w=weights(2, 3, 1, 1)
    )
    inputs = random_inputs(model, 1)
    found = with_dynamic_ranges(model)
    assert sqnr_db(run(model, inputs)["y"], run(found, inputs)["y"]) > 35
