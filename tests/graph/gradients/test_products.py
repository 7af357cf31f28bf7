import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mobileq.graph.backward import backward
from tests.graph.builders import model_of
from tests.graph.gradients.finite_differences import check_gradients, check_text, drawn

WINDOW = st.tuples(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(0, 3), st.integers(0, 3)
)
"""Kernel, stride, dilation and pads of one axis."""


def weights_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)


def window_attributes(windows: list[tuple[int, ...]]) -> str:
    kernel, strides, dilations, before, after = (list(each) for each in zip(*windows, strict=True))
    return (
        f"kernel_shape = {kernel}, strides = {strides}, dilations = {dilations},"
        f" pads = {before + after}"
    )


@given(st.lists(WINDOW, min_size=1, max_size=2), st.sampled_from([1, 2, 4]), st.integers(4, 7))
def test_convolutions(windows, group, length):
    spans = [(k - 1) * d + 1 for k, _, d, _, _ in windows]
    assume(all(span <= length for span in spans))
    kernel = [window[0] for window in windows]
    lengths = ",".join(str(length + at) for at in range(len(windows)))
    unknown = ",".join("?" * len(windows))
    text = f"""m (float[2,4,{lengths}] x) => (float[2,4,{unknown}] y) {{
        z = Conv<group = {group}, {window_attributes(windows)}>(x, w, b) y = Tanh(z) }}"""
    weights = {"w": weights_of(4, 4 // group, *kernel) / 3, "b": weights_of(4)}
    check_text(text, weights)


@pytest.mark.parametrize(
    ("kernel", "stride", "before", "after"),
    [
        ((6, 6), 2, (2, 2), (2, 2)),
        ((2, 4), 2, (0, 2), (0, 0)),
        ((3, 3), 3, (0, 0), (0, 0)),
        ((4, 2), 2, (2, 0), (1, 0)),
        ((2, 2), 2, (2, 2), (2, 2)),
    ],
)
def test_windows_that_are_whole_strides(kernel, stride, before, after):
    windows = [(k, stride, 1, b, a) for k, b, a in zip(kernel, before, after, strict=True)]
    text = f"""m (float[2,3,12,12] x) => (float[2,4,?,?] y) {{
        z = Conv<{window_attributes(windows)}>(x, w) y = Tanh(z) }}"""
    model = model_of(text, {"w": weights_of(4, 3, *kernel) / 6})
    check_gradients(model, drawn(model))
    ops = [node.op_type for node in backward(model, ["x"]).back.graph.node]
    # Beyond its padding a window may not begin.
    assert ("DepthToSpace" in ops) == (before != kernel)
    assert "DepthToSpace" in ops or "ConvTranspose" in ops


@given(st.lists(WINDOW, min_size=1, max_size=2), st.sampled_from([1, 2, 4]), st.integers(0, 1))
def test_transposed_convolutions(windows, group, extra):
    # With as many as the stride or more, ONNX Runtime's values are not set (1.26).
    extra_rows = [min(extra, stride - 1) for _, stride, *_ in windows]
    sizes = [
        3 * s + (k - 1) * d + 1 + more - before - after
        for (k, s, d, before, after), more in zip(windows, extra_rows, strict=True)
    ]
    assume(all(size > 0 for size in sizes))
    lengths, unknown = ",".join("4" * len(windows)), ",".join("?" * len(windows))
    text = f"""m (float[1,4,{lengths}] x) => (float[1,4,{unknown}] y) {{
        z = ConvTranspose<group = {group}, output_padding = {extra_rows},
            {window_attributes(windows)}>(x, w) y = Tanh(z) }}"""
    weights = {"w": weights_of(4, 4 // group, *(window[0] for window in windows)) / 3}
    check_text(text, weights)


@pytest.mark.parametrize("pads", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("group", [1, 2])
def test_pads_by_name(pads, group):
    text = f"""m (float[1,2,6,7] x) => (float[1,2,?,?] y) {{
        y = Conv<group = {group}, auto_pad = "{pads}", strides = [2, 2]>(x, w) }}"""
    check_text(text, {"w": weights_of(2, 2 // group, 3, 2)})


@given(st.booleans(), st.booleans(), st.sampled_from(["3,5", "5", "1", "3,1"]))
def test_gemm(turned_a, turned_b, bias):
    a, b = ("4,3" if turned_a else "3,4"), ("5,4" if turned_b else "4,5")
    text = f"""m (float[{a}] a, float[{b}] b, float[{bias}] c) => (float[3,5] y) {{
        z = Gemm<alpha = 0.5, beta = 2.0, transA = {int(turned_a)}, transB = {int(turned_b)}>
            (a, b, c)
        y = Tanh(z) }}"""
    check_text(text)


@given(
    st.sampled_from(
        [("2,3", "3,4"), ("5,2,3", "3,4"), ("2,3", "5,3,4"), ("5,2,3", "5,3,4"), ("3", "3,4"),
         ("2,1,2,3", "5,3,4"), ("5,2,3", "3"), ("3", "3"), ("3", "5,3,4")]
    ),
    st.sampled_from(["a", "b", "both"]),
)  # fmt: skip
def test_matrix_products(shapes, of):
    a, b = shapes
    inputs = f"float[{a}] a, float[{b}] b" if of == "both" else f"float[{dict(a=a, b=b)[of]}] {of}"
    other = {"a": "b", "b": "a"}.get(of)
    held = {}
    if other is not None:
        held[other] = weights_of(*map(int, dict(a=a, b=b)[other].split(",")))
    rank = np.matmul(*(np.zeros([int(n) for n in each.split(",")]) for each in shapes)).ndim
    result = f"float[{','.join('?' * rank)}]" if rank else "float"
    check_text(f"m ({inputs}) => ({result} y) {{ z = MatMul(a, b) y = Tanh(z) }}", held)


def test_a_grouped_convolution_of_one_axis_in_old_opsets():
    text = "m (float[1,4,9] x) => (float[1,4,?] y) { y = Conv<group = 4, strides = [2]>(x, w) }"
    model = model_of(text, {"w": weights_of(4, 1, 3)}, opset=11)
    check_gradients(model, drawn(model))


@pytest.mark.parametrize("equation", ["ij,jk->ik", "ij,kj->ki", "ij, jk -> ijk", "ij,jk->kji"])
def test_sums_of_products(equation):
    b = "4,3" if "kj" in equation.split("->")[0] else "3,4"
    rank = len(equation.replace(" ", "").split("->")[1])
    text = f"""m (float[2,3] a, float[{b}] b) => (float[{",".join("?" * rank)}] y) {{
        z = Einsum<equation = "{equation}">(a, b) y = Tanh(z) }}"""
    check_text(text)


@pytest.mark.parametrize("equation", ["ii,ij->j", "ij,jk", "ij,kl->kl"])
def test_sums_whose_indices_are_not_in_the_others(equation):
    text = f"""m (float[3,3] a, float[3,3] b) => (float[{"3" if "ii" in equation else "3,3"}] y) {{
        y = Einsum<equation = "{equation}">(a, b) }}"""
    assert backward(model_of(text), ["a"]).stopped == {"a": "Einsum"}
