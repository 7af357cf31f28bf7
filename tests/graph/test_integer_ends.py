"""Codes at a model's ends are worked out; pairs inside are left."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import parser

from mobileq.graph.integer_ends import end_ranges, write_integers
from mobileq.graph.trial_run import run
from mobileq.spec import TensorRange

HEADER = '<ir_version: 10, opset_import: ["": 21]>'


def written(text: str, **feeds: np.ndarray) -> set[str]:
    """The operators after it, whose numbers are those before it."""
    model = parser.parse_model(HEADER + text)
    after = write_integers(model)
    onnx.checker.check_model(after, full_check=True)
    for name, wanted in run(model, feeds).items():
        found = run(after, feeds)[name]
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    return {node.op_type for node in after.graph.node}


@pytest.mark.parametrize("kind", ["uint8", "int8", "int16", "uint16"])
@pytest.mark.parametrize(
    ("shape", "scale", "zero", "attributes"),
    [
        ("", "0.5", "3", ""),
        ("3", "0.5, 2, 0.25", "3, 0, 7", "axis=1"),
        ("2,2", "0.5, 2, 0.25, 4", "3, 0, 7, 1", "axis=1, block_size=2"),
    ],
)
def test_codes_that_are_given_become_numbers(kind, shape, scale, zero, attributes):
    width = 4 if "block" in attributes else 3
    text = (
        f"m ({kind}[2,{width}] x) => (float[2,{width}] y)"
        f"<float[{shape}] s = {{{scale}}}, {kind}[{shape}] z = {{{zero}}}>"
        f"{{ y = DequantizeLinear<{attributes}>(x, s, z) }}"
    )
    limits = np.iinfo(kind)
    codes = np.random.default_rng(1).integers(limits.min, limits.max, (2, width)).astype(kind)
    assert written(text.replace("[]", "").replace("<>", ""), x=codes) <= {
        "Cast", "Sub", "Mul", "Reshape", "Gather",
    }  # fmt: skip


@pytest.mark.parametrize(
    "before", ["q = Neg(x) y = QuantizeLinear(q, s, z)", "y = QuantizeLinear(x, s, z)"]
)
@pytest.mark.parametrize("kind", ["uint8", "int8", "int16"])
def test_numbers_become_codes_with_halves_to_even(kind, before):
    text = f"m (float[60] x) => ({kind}[60] y) <float s = {{0.5}}, {kind} z = {{5}}>{{ {before} }}"
    numbers = (np.arange(-30, 30) * np.float32(0.25)).astype(np.float32)
    numbers[:2] = -1e6, 1e6
    assert "QuantizeLinear" not in written(text, x=numbers)


def test_pair_inside_stays():
    text = (
        "m (float[4] x) => (float[4] y) <float s = {0.5}, uint8 z = {5}>"
        "{ q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) y = Neg(d) }"
    )
    model = parser.parse_model(HEADER + text)
    assert write_integers(model) is model


def test_scale_of_an_input_is_kept_as_a_range():
    text = (
        "m (int8[4] x) => (float[4] y) <float s = {0.5}, int8 z = {-28}>"
        "{ y = DequantizeLinear(x, s, z) }"
    )
    found = end_ranges(parser.parse_model(HEADER + text))
    assert found == {"y": TensorRange(min=-50.0, max=77.5)}
