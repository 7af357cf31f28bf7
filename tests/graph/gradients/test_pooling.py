import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mobileq.graph.backward import backward
from tests.graph.builders import model_of
from tests.graph.gradients.finite_differences import check_text

WINDOW = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 1), st.integers(0, 1))
"""Kernel, stride and pads of one axis."""


def pooled(op: str, windows: list[tuple[int, ...]], dilation: int, more: str) -> str:
    kernel, strides, before, after = (list(each) for each in zip(*windows, strict=True))
    lengths = ",".join(str(5 + at) for at in range(len(windows)))
    unknown = ",".join("?" * len(windows))
    return f"""m (float[2,3,{lengths}] x) => (float[2,3,{unknown}] y) {{
        z = {op}<kernel_shape = {kernel}, strides = {strides}, pads = {before + after},
            dilations = {[dilation] * len(windows)}{more}>(x)
        y = Mul(z, z) }}"""


def is_usual(windows: list[tuple[int, ...]], dilation: int, upwards: int) -> bool:
    """Each window has a value in it, and the last of those that are rounded up to begins at one:
    otherwise ONNX counts one more than ONNX Runtime (1.20, 1.26)."""
    for at, (kernel, stride, before, after) in enumerate(windows):
        length, span = 5 + at, (kernel - 1) * dilation + 1
        count = math.ceil((length + before + after - span) / stride) + 1
        if max(before, after) >= kernel or span > length:
            return False
        if upwards and (count - 1) * stride >= length + before:
            return False
    return True


WINDOWS = st.lists(WINDOW, min_size=1, max_size=2)


@given(WINDOWS, st.integers(1, 2), st.integers(0, 1), st.integers(0, 1))
def test_means(windows, dilation, with_pads, upwards):
    assume(is_usual(windows, dilation, upwards))
    more = f", count_include_pad = {with_pads}, ceil_mode = {upwards}"
    check_text(pooled("AveragePool", windows, dilation, more), opset=19)


@given(WINDOWS, st.integers(1, 2), st.integers(0, 1), st.sampled_from([12, 17]))
def test_maxima(windows, dilation, upwards, opset):
    assume(is_usual(windows, dilation, upwards))
    more = f", ceil_mode = {upwards}"
    check_text(pooled("MaxPool", windows, dilation, more), opset=opset, step=1e-3)


@pytest.mark.parametrize("op", ["AveragePool", "MaxPool"])
def test_windows_that_are_not_where_onnx_infers_them(op):
    model = model_of(pooled(op, [(2, 2, 1, 1)], 1, ", ceil_mode = 1"))
    assert backward(model, ["x"]).stopped == {"x": op}


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("lengths", ["5", "3,4"])
def test_global(op, lengths):
    ones = ",".join("1" for _ in lengths.split(","))
    text = f"""m (float[2,3,{lengths}] x) => (float[2,3,{ones}] y) {{
        z = {op}(x) y = Mul(z, z) }}"""
    check_text(text, step=1e-3)


@pytest.mark.parametrize("pads", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("op", ["AveragePool", "MaxPool"])
def test_pads_by_name(op, pads):
    text = f"""m (float[1,2,5,6] x) => (float[1,2,?,?] y) {{
        z = {op}<kernel_shape = [3, 2], strides = [2, 2], auto_pad = "{pads}">(x)
        y = Mul(z, z) }}"""
    check_text(text, step=1e-3)


@pytest.mark.parametrize(
    "scales",
    ["1.0, 1.0, 2.0, 2.0", "1.0, 1.0, 2.0, 3.0", "1.0, 1.0, 1.4, 0.6", "1.0, 2.0, 2.0, 1.0"],
)
@pytest.mark.parametrize(
    "attributes",
    [
        'mode = "nearest"',
        'mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"',
        'mode = "nearest", nearest_mode = "ceil"',
        'mode = "linear"',
        'mode = "linear", coordinate_transformation_mode = "align_corners"',
        'mode = "cubic"',
        'mode = "linear", antialias = 1',
    ],
)
def test_resized(attributes, scales):
    if "2.0, 2.0, 1.0" in scales and "nearest" not in attributes:
        scales = "1.0, 1.0, 0.5, 1.0"  # of channels ONNX Runtime knows the nearest only
    text = f"""m (float[1,2,4,5] x) => (float[?,?,?,?] y) <float[4] s = {{{scales}}}> {{
        z = Resize<{attributes}>(x, , s) y = Mul(z, z) }}"""
    check_text(text, opset=18)


@pytest.mark.parametrize("opset", [11, 13])
def test_resized_to_a_length(opset):
    text = """m (float[1,2,4,5] x) => (float[1,2,?,?] y)
        <int64[4] to = {1, 2, 8, 7}, float[0] none = {}, float[0] roi = {}> {
        z = Resize<mode = "linear">(x, roi, none, to) y = Mul(z, z) }"""
    check_text(text, opset=opset)
