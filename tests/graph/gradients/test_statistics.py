import numpy as np
import pytest

from tests.graph.builders import ints
from tests.graph.gradients.finite_differences import check_text

REDUCTIONS = ["ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceL2", "ReduceMax", "ReduceMin"]


@pytest.mark.parametrize("op", REDUCTIONS)
@pytest.mark.parametrize("axes", [[1], [-1, 0], [], None])
@pytest.mark.parametrize("kept", [0, 1])
def test_over_axes(op, axes, kept):
    rank = 3 if kept else 3 - (3 if not axes else len(axes))
    result = f"float[{','.join('?' * rank)}]" if rank else "float"
    given = "" if axes is None else ", a"
    text = f"""m (float[2,3,4] x) => ({result} y) {{
        z = {op}<keepdims = {kept}>(x{given}) y = Mul(z, z) }}"""
    weights = {} if axes is None else {"a": ints(*axes)}
    check_text(text, weights, opset=18, step=1e-3)


@pytest.mark.parametrize("op", ["ReduceMean", "ReduceL2", "ReduceMax"])
def test_axes_as_attribute(op):
    text = f"""m (float[2,3,4] x) => (float[2,1,1] y) {{
        z = {op}<axes = [1, 2]>(x) y = Mul(z, z) }}"""
    check_text(text, opset=13, step=1e-3)


def test_no_axes_may_be_none():
    text = """m (float[2,3] x) => (float[2,3] y) {
        z = ReduceMean<noop_with_empty_axes = 1>(x, a) y = Mul(z, z) }"""
    check_text(text, {"a": ints()}, opset=18)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", ["", "<axis = 1>", "<axis = -2>"])
@pytest.mark.parametrize("opset", [12, 13])
def test_softmax(op, axis, opset):
    text = f"m (float[2,3,4] x) => (float[2,3,4] y) {{ z = {op}{axis}(x) y = Mul(z, x) }}"
    check_text(text, opset=opset)


@pytest.mark.parametrize("axis", [-1, 1])
def test_layer_normalization(axis):
    shape = (3, 4) if axis == 1 else (4,)
    weights = {"s": np.linspace(0.5, 2, int(np.prod(shape)), dtype=np.float32).reshape(shape)}
    weights["b"] = weights["s"] - 1
    text = f"""m (float[2,3,4] x) => (float[2,3,4] y) {{
        z = LayerNormalization<axis = {axis}, epsilon = 0.1>(x, s, b) y = Mul(z, x) }}"""
    check_text(text, weights)


def test_root_mean_square_normalization():
    text = """m (float[2,3,4] x) => (float[2,3,4] y) <float[4] s = {0.5, 1.0, 2.0, -1.0}> {
        z = RMSNormalization<epsilon = 0.1>(x, s) y = Mul(z, x) }"""
    check_text(text, opset=23)


@pytest.mark.parametrize("lengths", ["4", "4,3"])
def test_instance_normalization(lengths):
    text = f"""m (float[2,3,{lengths}] x) => (float[2,3,{lengths}] y)
        <float[3] s = {{0.5, 1.0, 2.0}}, float[3] b = {{0.5, 0.0, -1.0}}> {{
        z = InstanceNormalization<epsilon = 0.1>(x, s, b) y = Mul(z, x) }}"""
    check_text(text)


def test_batch_normalization():
    text = """m (float[2,3,4,2] x) => (float[2,3,4,2] y)
        <float[3] s = {0.5, 1.0, -2.0}, float[3] b = {0.5, 0.0, -1.0},
         float[3] mean = {0.1, 0.2, 0.3}, float[3] var = {1.0, 4.0, 0.1}> {
        z = BatchNormalization<epsilon = 0.1>(x, s, b, mean, var) y = Mul(z, x) }"""
    check_text(text)
