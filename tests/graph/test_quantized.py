from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, numpy_helper

from mobileq.errors import InputError
from mobileq.graph.eight_bits import affine
from mobileq.graph.given_quantization import remaining
from mobileq.graph.quantized import has_quantizers, strip_quantizers
from mobileq.graph.trial_run import random_inputs, run
from mobileq.preparation.prepare import prepare

from .builders import model_of, small_model

SHAPES = "(float[1,3,8,8] x) => (float[1,4,8,8] y)"
CODES = np.random.default_rng(0).integers(-127, 128, (4, 3, 1, 1)).astype(np.int8)
STEPS = np.array([0.01, 0.02, 0.03, 0.04], np.float32)


def parameters(name: str, scale: float, zero: np.generic) -> dict[str, np.ndarray]:
    return {f"{name}_s": np.array(scale, np.float32), f"{name}_z": np.array(zero)}


def pair(name: str, source: str | None = None) -> str:
    """`{name}d` from `name`, by way of `{name}q`."""
    return f"""{name}q = QuantizeLinear({source or name}, {name}_s, {name}_z)
        {name}d = DequantizeLinear({name}q, {name}_s, {name}_z)"""


WEIGHTS = {"w": CODES, "w_s": STEPS, "w_z": np.zeros(4, np.int8)}
EVERYTHING = {
    **WEIGHTS,
    "b": np.array([100, -20, 3, 0], np.int32),
    "b_s": (STEPS * 0.004).astype(np.float32),
    **parameters("x", 0.004, np.uint8(3)),
    **parameters("c", 0.07, np.int8(-10)),
}


def usual(more: str = "y = Relu(cd)") -> ModelProto:
    """A convolution as `quantize_static` writes it."""
    return model_of(
        f"""g {SHAPES} => {{
            {pair("x")}
            wd = DequantizeLinear<axis=0>(w, w_s, w_z)
            bd = DequantizeLinear<axis=0>(b, b_s)
            c = Conv(xd, wd, bd)
            {pair("c")}
            {more}
        }}""".replace(") => {", ") {"),
        EVERYTHING,
    )


def initializers(model: ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_float_model_holds_the_weights_and_no_pairs():
    model = usual()
    before = model.SerializeToString()
    stripped, found, notices = strip_quantizers(model)
    assert model.SerializeToString() == before
    assert [node.op_type for node in stripped.graph.node] == ["Conv", "Relu"]
    assert list(stripped.graph.node[0].input) == ["x", "wd", "bd"]
    assert list(stripped.graph.node[1].input) == ["c"]
    values = initializers(stripped)
    assert set(values) == {"wd", "bd"}
    assert np.array_equal(values["wd"], CODES * STEPS.reshape(4, 1, 1, 1))
    assert values["bd"] == pytest.approx(EVERYTHING["b"] * EVERYTHING["b_s"])
    assert set(found.ranges) == {"x", "c"}
    assert set(found.constants) == {"wd"}
    assert found.constants["wd"].scale == tuple(float(each) for each in STEPS)
    assert found.constants["wd"].axis == 0
    assert found.unquantized == ()
    assert "2 activations, 1 constants" in notices[0]


def test_it_computes_what_the_quantized_one_does_but_for_the_rounding():
    model = usual()
    stripped, _, _ = strip_quantizers(model)
    inputs = random_inputs(model, 0)
    wanted, got = run(model, inputs)["y"], run(stripped, inputs)["y"]
    difference = np.abs(wanted - got)
    assert difference.max() > 0
    assert difference.max() <= 0.07 / 2 + 0.004 / 2 * np.abs(CODES).sum(1).max() * 0.04


@settings(max_examples=60, deadline=None)
@given(
    st.floats(2.0**-20, 2.0**10, width=32),
    st.one_of(
        st.integers(-128, 127).map(np.int8),
        st.integers(0, 255).map(np.uint8),
    ),
)
def test_ranges_give_the_scale_and_zero_point_again(scale: float, zero: np.generic):
    model = model_of(
        f"g (float[4] x) => (float[4] y) {{ {pair('x')} y = Relu(xd) }}",
        parameters("x", scale, zero),
    )
    found = strip_quantizers(model)[1].ranges["x"]
    assert (found.max - found.min) / 255 == scale
    assert affine(found) == (scale, int(zero) + (128 if zero.dtype == np.int8 else 0))


def test_float_weights_with_a_pair_are_rounded():
    values = np.array([[0.11, -0.26], [0.5, 100.0]], np.float32).reshape(2, 2, 1, 1)
    model = model_of(
        f"""g (float[1,2,4,4] x) => (float[1,2,4,4] y) {{
            {pair("w")}
            y = Conv(x, wd)
        }}""",
        {"w": values, **parameters("w", 0.1, np.int8(0))},
    )
    stripped, found, _ = strip_quantizers(model)
    wanted = np.array([0.1, -0.3, 0.5, 12.7], np.float32)
    assert initializers(stripped)["wd"].ravel() == pytest.approx(wanted)
    assert found.constants["wd"].scale == (pytest.approx(0.1),)
    assert found.constants["wd"].axis is None


def test_constants_are_found_behind_other_nodes():
    """Codes and scale in Constant nodes, and transposed before they are used."""
    model = model_of(
        """g (float[1,2] x) => (float[1,3] y) {
            codes = Constant<value = int8[3,2] {1, 2, 3, 4, 5, 6}>()
            turned = Transpose<perm=[1,0]>(codes)
            step = Constant<value = float {0.5}>()
            wd = DequantizeLinear(turned, step)
            y = MatMul(x, wd)
        }"""
    )
    stripped, found, _ = strip_quantizers(model)
    assert initializers(stripped)["wd"].tolist() == [[0.5, 1.5, 2.5], [1.0, 2.0, 3.0]]
    assert found.constants["wd"].scale == (0.5,)
    assert [node.op_type for node in stripped.graph.node] == ["MatMul"]


def test_weights_of_four_bits_are_read():
    model = model_of(
        """g (float[1,2] x) => (float[1,2] y) {
            codes = Constant<value = int8[2,2] {-8, 7, 3, -1}>()
            narrow = Cast<to=22>(codes)
            wd = DequantizeLinear(narrow, step)
            y = MatMul(x, wd)
        }""",
        {"step": np.array(0.25, np.float32)},
        opset=21,
        ir_version=10,
    )
    stripped, found, _ = strip_quantizers(model)
    assert initializers(stripped)["wd"].tolist() == [[-2.0, 1.75], [0.75, -0.25]]
    assert found.constants["wd"].scale == (0.25,)


def test_convolutions_without_a_pair_on_their_weights_are_named():
    model = model_of(
        f"""g {SHAPES} {{
            {pair("x")}
            y = Conv(xd, w)
        }}""",
        {"w": CODES.astype(np.float32), **parameters("x", 0.004, np.uint8(3))},
    )
    assert strip_quantizers(model)[1].unquantized == ("y",)


def test_outputs_keep_their_names():
    """`quantize_static` lets a DequantizeLinear give the output under its name."""
    model = model_of(
        """g (float[1,4] x) => (float[1,4] y, float[1,4] z, float[1,4] same) {
            r = Relu(x)
            rq = QuantizeLinear(r, r_s, r_z)
            y = DequantizeLinear(rq, r_s, r_z)
            z = Neg(y)
            xq = QuantizeLinear(x, r_s, r_z)
            same = DequantizeLinear(xq, r_s, r_z)
        }""",
        parameters("r", 0.01, np.uint8(0)),
    )
    stripped, found, _ = strip_quantizers(model)
    onnx.checker.check_model(stripped)
    assert [value.name for value in stripped.graph.output] == ["y", "z", "same"]
    assert set(found.ranges) == {"x", "y"}
    got = run(stripped, {"x": np.array([[-1, 0, 0.5, 2]], np.float32)})
    assert got["y"].tolist() == [[0, 0, 0.5, 2]]
    assert got["z"].tolist() == [[0, 0, -0.5, -2]]
    assert got["same"].tolist() == [[-1, 0, 0.5, 2]]


def test_tensors_moved_as_integers_have_the_range_too():
    model = model_of(
        """g (float[1,1,4,4] x) => (float[1,1,2,2] y) {
            xq = QuantizeLinear(x, x_s, x_z)
            pooled = MaxPool<kernel_shape=[2,2], strides=[2,2]>(xq)
            d = DequantizeLinear(pooled, x_s, x_z)
            y = Relu(d)
        }""",
        parameters("x", 0.01, np.uint8(0)),
    )
    stripped, found, _ = strip_quantizers(model)
    assert found.ranges["pooled"] == found.ranges["x"]
    x = np.linspace(0, 1, 16, dtype=np.float32).reshape(1, 1, 4, 4)
    assert run(stripped, {"x": x})["y"] == pytest.approx(run(model, {"x": x})["y"], abs=0.005)


def test_pictures_enlarged_as_integers_have_the_range_too():
    model = model_of(
        """g (float[1,1,2,2] x) => (float[1,1,4,4] y) {
            xq = QuantizeLinear(x, x_s, x_z)
            twice = Constant<value_floats=[1.0,1.0,2.0,2.0]>()
            large = Resize<mode="nearest">(xq, , twice)
            d = DequantizeLinear(large, x_s, x_z)
            y = Relu(d)
        }""",
        parameters("x", 0.01, np.uint8(0)),
    )
    _, found, _ = strip_quantizers(model)
    assert found.ranges["large"] == found.ranges["x"]


def test_first_of_several_scales_is_taken_and_named():
    model = model_of(
        """g (float[1,4] x) => (float[1,4] y) {
            a = QuantizeLinear(x, a_s, a_z)
            ad = DequantizeLinear(a, a_s, a_z)
            b = QuantizeLinear(x, b_s, b_z)
            bd = DequantizeLinear(b, b_s, b_z)
            y = Add(ad, bd)
        }""",
        {**parameters("a", 0.01, np.uint8(0)), **parameters("b", 0.02, np.uint8(0))},
    )
    stripped, found, notices = strip_quantizers(model)
    assert found.ranges["x"].max == pytest.approx(2.55)
    assert list(stripped.graph.node[0].input) == ["x", "x"]
    assert "1 activations have several scales ('x')" in notices[1]


def test_graph_of_a_branch_reads_the_float_tensor():
    model = model_of(
        f"""g (float[4] x, bool chosen) => (float[4] y) {{
            {pair("x")}
            y = If(chosen)<
                then_branch = a () => (float[4] p) {{ p = Relu(xd) }},
                else_branch = b () => (float[4] q) {{ q = Neg(xd) }}
            >
        }}""",
        parameters("x", 0.01, np.uint8(0)),
    )
    stripped, _, _ = strip_quantizers(model)
    fed = {"x": np.array([1, 2, 3, 9], np.float32), "chosen": np.array(False)}
    assert run(stripped, fed)["y"].tolist() == [-1, -2, -3, -9]


@pytest.mark.parametrize(
    ("body", "values", "message"),
    [
        (
            "q = QuantizeLinear(x, x_s, x_z) c = QLinearConv(q, x_s, x_z, w, x_s, w_z, x_s, x_z)"
            " y = DequantizeLinear(c, x_s, x_z)",
            {"w": CODES, "w_z": np.array(0, np.int8)},
            "integer operators (QLinearConv). Export it with QuantizeLinear",
        ),
        (
            "s = ReduceMax<keepdims=0>(x) q = QuantizeLinear(x, s, x_z)"
            " d = DequantizeLinear(q, s, x_z) y = Relu(d)",
            {},
            "The scale of 'x' is computed when the model runs. Export the model with constant",
        ),
        (
            "q = QuantizeLinear(x, x_s, x_z) r = Relu(q) y = DequantizeLinear(r, x_s, x_z)",
            {"x_z": np.array(0, np.int8)},
            "The operator Relu ('r') works on the integers",
        ),
        (
            "q = QuantizeLinear<axis=1>(x, v, z) y = DequantizeLinear<axis=1>(q, v, z)",
            {"v": np.ones(3, np.float32), "z": np.zeros(3, np.uint8)},
            "The activation 'x' is quantized with 3 scales.",
        ),
        (
            "q = QuantizeLinear(x, x_s, x_z) y = DequantizeLinear(q, x_s, x_z)",
            {"x_z": np.array(0, np.uint16)},
            "The activation 'x' is quantized to uint16.",
        ),
    ],
)
def test_other_kinds_are_refused(body: str, values: dict[str, np.ndarray], message: str):
    model = model_of(
        f"g (float[1,3,8,8] x) => (float[1,3,8,8] y) {{ {body} }}",
        {**parameters("x", 0.01, np.uint8(0)), **values},
        opset=21,
        ir_version=10,
    )
    assert has_quantizers(model)
    with pytest.raises(InputError) as caught:
        strip_quantizers(model)
    assert message in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(uint8[4] x) => (float[4] y) { y = DequantizeLinear(x, x_s, x_z) }", "input 'x'"),
        ("(float[4] x) => (uint8[4] y) { y = QuantizeLinear(x, x_s, x_z) }", "output 'y'"),
    ],
)
def test_integer_ends_are_refused(text: str, message: str):
    model = model_of(f"g {text}", parameters("x", 0.01, np.uint8(0)))
    with pytest.raises(InputError, match=f"model's {message} is made of integers"):
        strip_quantizers(model)


def test_pairs_inside_of_a_branch_are_refused():
    body = pair("x").replace("\n", " ")
    model = model_of(
        f"""g (float[4] x, bool chosen) => (float[4] y) {{
            y = If(chosen)<
                then_branch = a () => (float[4] xd) {{ {body} }},
                else_branch = b () => (float[4] q) {{ q = Neg(x) }}
            >
        }}""",
        parameters("x", 0.01, np.uint8(0)),
    )
    with pytest.raises(InputError, match="inside of an If"):
        strip_quantizers(model)


def test_changed_weights_lose_their_scales():
    _, found, _ = strip_quantizers(usual())
    changed = strip_quantizers(usual())[0]
    assert remaining(found, changed) == found
    for tensor in changed.graph.initializer:
        if tensor.name == "wd":
            values = numpy_helper.to_array(tensor) * np.float32(1.237)
            tensor.CopyFrom(numpy_helper.from_array(values, "wd"))
    left = remaining(found, changed)
    assert left.constants == {}
    assert left.ranges == found.ranges


def test_prepared_model_keeps_both(tmp_path: Path):
    path = tmp_path / "net.onnx"
    model = usual("k = Constant<value = float[1] {3.0}>() y = Mul(cd, k)")
    onnx.save(model, path)
    prepared = prepare(path)
    assert prepared.op_counts == {"Conv": 1, "Mul": 1}
    assert prepared.given is not None
    assert set(prepared.given.ranges) == {"x", "c"}
    assert set(prepared.given.constants) == {"wd"}
    assert prepared.quantized is not None
    inputs = random_inputs(model, 0)
    assert np.array_equal(run(prepared.quantized, inputs)["y"], run(model, inputs)["y"])
    assert any("comes quantized" in notice for notice in prepared.notices)


def test_float_models_have_none(tmp_path: Path):
    path = tmp_path / "net.onnx"
    onnx.save(small_model(), path)
    prepared = prepare(path)
    assert not has_quantizers(small_model())
    assert prepared.given is None
    assert prepared.quantized is None


def test_shapes_are_fixed_in_the_model_as_it_came(tmp_path: Path):
    model = usual()
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "h"
    path = tmp_path / "net.onnx"
    onnx.save(model, path)
    prepared = prepare(path, ["x:1,3,16,8"])
    assert prepared.quantized is not None
    shape = prepared.quantized.graph.input[0].type.tensor_type.shape
    assert [dim.dim_value for dim in shape.dim] == [1, 3, 16, 8]


def test_unused_constants_are_dropped():
    stripped, _, _ = strip_quantizers(usual())
    assert "w" not in initializers(stripped)
