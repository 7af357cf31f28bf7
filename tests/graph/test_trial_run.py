"""What a model is fed where nothing is known of its inputs."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import parser

from mobileq.errors import InputError
from mobileq.graph.trial_run import random_inputs, run


def test_what_divides_whole_numbers_is_not_zero():
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]>'
        "m (int64[40] a, int64[40] b) => (int64[40] y) { y = Mod(a, b) }"
    )
    feeds = random_inputs(model, 1)
    assert np.all(feeds["b"] > 0)
    assert run(model, feeds)["y"].shape == (40,)


@pytest.mark.parametrize(
    ("kind", "told"), [("string", "text"), ("complex64", "numbers of the type complex64")]
)
def test_input_that_no_phone_takes_is_told_by_what_it_takes(kind, told):
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]> m ({kind}[2] x) => ({kind}[2] y)'
        " { y = Identity(x) }"
    )
    with pytest.raises(InputError, match=f"The input 'x' takes {told}, which no runtime"):
        random_inputs(model, 0)
