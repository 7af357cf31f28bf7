"""A convolution of another rank than its input is told of, whatever lies between."""

from __future__ import annotations

import pytest
from onnx import parser

from mobileq.errors import InputError
from mobileq.graph.ranks import require_ranks

WEIGHTS = ",".join("0" * 108)


@pytest.mark.parametrize(
    "between",
    [
        *("Relu(x)", "Tanh(x)", "HardSwish(x)", "Elu(x)", "Softplus(x)", "Exp(x)", "Sqrt(x)"),
        *("Softmax(x)", "Dropout(x)", "PRelu(x, p)", "Pow(x, p)", "Max(x, p)"),
        *("InstanceNormalization(x, p, p)", "Concat<axis=1>(x, x)", "Clip(x, , p)"),
    ],
)
def test_picture_without_channels_is_refused(between: str):
    """ONNX Runtime 1.26 ends the process where it is not."""
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> g (float[1,3,8] x) => (float y)'
        f" <float[4,3,3,3] w = {{{WEIGHTS}}}, float[1] p = {{0}}>"
        f" {{ t = {between} y = Conv(t, w) }}"
    )
    with pytest.raises(InputError, match="works on 4 dimensions but gets 3"):
        require_ranks(model)


def test_parts_of_a_split_have_its_rank():
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> g (float[1,6,8] x) => (float y)'
        f" <float[4,3,3,3] w = {{{WEIGHTS}}}> {{ s, t = Split<axis=1>(x) y = Conv(t, w) }}"
    )
    with pytest.raises(InputError, match="works on 4 dimensions but gets 3"):
        require_ranks(model)


@pytest.mark.parametrize("between", ["Mul(p, u)", "Add(u, p)", "Max(p, u, p)"])
def test_a_number_beside_what_is_not_known_has_no_say(between: str):
    """As a dynamic file has it where a model multiplies what a convolution gives: nothing is known
    of what ConvInteger does."""
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> g (float[1,3,8,8] x) => (float y)'
        f" <float[4,3,3,3] w = {{{WEIGHTS}}}, float[1] p = {{0}}>"
        f" {{ u = Unique(x) t = {between} y = Conv(t, w) }}"
    )
    require_ranks(model)
