"""What is as long as an input says is refused by name."""

from __future__ import annotations

import pytest
from onnx import parser

from mobileq.errors import UnsupportedOperatorError
from mobileq.graph.open_lengths import refuse_open_lengths

HEADER = '<ir_version: 8, opset_import: ["": 17]>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("m (int32 n) => (float[10] y) { y = HannWindow(n) }", "HannWindow .* input 'n'"),
        (
            "m (int64 n) => (float[10] y) <float a = {0}, float b = {1}>"
            "{ c = Cast<to=1>(n) y = Range(a, c, b) }",
            "Range .* input 'n'",
        ),
        ("m (float[6] x, int64[2] s) => (float[2,3] y) { y = Reshape(x, s) }", "Reshape .* 's'"),
    ],
)
def test_input_that_decides_a_length_is_named(text, said):
    with pytest.raises(UnsupportedOperatorError, match=said) as caught:
        refuse_open_lengths(parser.parse_model(HEADER + text))
    assert "--set" in str(caught.value.hint)


def test_data_of_a_known_shape_passes():
    text = "m (float[6] x) => (float[2,3] y) <int64[2] s = {2, 3}> { y = Reshape(x, s) }"
    refuse_open_lengths(parser.parse_model(HEADER + text))
