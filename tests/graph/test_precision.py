from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from mobileq.graph.outline import all_tensors
from mobileq.graph.precision import to_float32
from mobileq.graph.trial_run import run

from .builders import conv_weights, ints, model_of, small_model


def half_model() -> onnx.ModelProto:
    """float16 wherever it can be: input, weight, Constant, ConstantOfShape, Cast, subgraph.

    The parser wants float16 values as bits: 16896 is 3.0, 14336 is 0.5.
    """
    return model_of(
        """g (float16[1,3,8,8] x, bool flag) => (float16[1,4,8,8] y) {
            c = Conv(x, w)
            k = Constant<value = float16[1] {16896}>()
            f = Cast<to = 1>(c)
            h = Cast<to = 10>(f)
            z = ConstantOfShape<value = float16[1] {14336}>(shape)
            m = Mul(h, k)
            a = Add(m, z)
            y = If (flag) <
                then_branch = t () => (float16[1,4,8,8] yes) { yes = Mul(a, w0) },
                else_branch = e () => (float16[1,4,8,8] no) { no = Cast<to = 10>(f) }
            >
        }""",
        {
            "w": conv_weights(4).astype(np.float16),
            "w0": np.array([2], np.float16),
            "shape": ints(1, 4, 8, 8),
        },
    )


@pytest.mark.parametrize("flag", [True, False])
def test_half_model_runs_in_float32_and_agrees(flag: bool) -> None:
    model = half_model()
    onnx.checker.check_model(model)
    converted, notices = to_float32(model)
    onnx.checker.check_model(converted, full_check=True)
    x = np.random.default_rng(0).random((1, 3, 8, 8), np.float32).astype(np.float16)
    before = run(model, {"x": x, "flag": np.array(flag)})["y"]
    after = run(converted, {"x": x.astype(np.float32), "flag": np.array(flag)})["y"]
    assert after.dtype == np.float32
    np.testing.assert_allclose(after, before.astype(np.float32), rtol=2e-3, atol=2e-3)
    assert notices == ("The model is in float16; it was widened to float32.",)


def test_no_half_tensor_or_cast_is_left() -> None:
    converted, _ = to_float32(half_model())
    assert 10 not in {tensor.data_type for tensor in all_tensors(converted)}
    assert b"\x0a" not in {
        bytes([item.i]) for node in converted.graph.node for item in node.attribute
        if item.name == "to"
    }  # fmt: skip


def test_model_given_is_not_changed() -> None:
    model = half_model()
    before = model.SerializeToString()
    to_float32(model)
    assert model.SerializeToString() == before


def test_float32_model_is_returned_as_it_is() -> None:
    model = small_model()
    assert to_float32(model) == (model, ())


def test_half_weights_in_the_integer_field_keep_their_values() -> None:
    model = small_model()
    weights = numpy_helper.to_array(model.graph.initializer[0])
    half = onnx.helper.make_tensor("w", 10, weights.shape, weights.astype(np.float16).ravel())
    assert not half.raw_data
    model.graph.initializer[0].CopyFrom(half)
    converted, _ = to_float32(model)
    np.testing.assert_array_equal(
        numpy_helper.to_array(converted.graph.initializer[0]), weights.astype(np.float16)
    )


def test_bfloat16_weights_are_widened() -> None:
    model = small_model()
    values = [1.0, -2.0, 0.5] * 4
    model.graph.initializer[0].CopyFrom(onnx.helper.make_tensor("w", 16, (4, 3, 1, 1), values))
    converted, notices = to_float32(model)
    array = numpy_helper.to_array(converted.graph.initializer[0])
    assert array.dtype == np.float32
    assert array.ravel().tolist() == values
    assert "bfloat16" in notices[0]


def test_double_model_is_widened_only_where_its_ends_are_double() -> None:
    ends = model_of(
        "g (double[3] x) => (double[3] y) { y = Mul(x, k) }", {"k": np.array([2.0], np.float64)}
    )
    converted, _ = to_float32(ends)
    out = run(converted, {"x": np.ones(3, np.float32)})["y"]
    assert out.dtype == np.float32
    assert out.tolist() == [2.0, 2.0, 2.0]

    inner = model_of(
        """g (float[3] x) => (float[3] y) {
            d = Cast<to = 11>(x)
            m = Mul(d, k)
            y = Cast<to = 1>(m)
        }""",
        {"k": np.array([2.0], np.float64)},
    )
    assert to_float32(inner) == (inner, ())


def test_functions_and_sequences_of_the_model_are_widened() -> None:
    model = model_of(
        """g (float16[3] x) => (float16[3] y) { y = own.Scale(x) }
        <domain: "own", opset_import: ["" : 17]>
        Scale (a) => (b) {
            k = Constant<value = float16[1] {16896}>()
            m = Mul(a, k)
            s = SequenceConstruct(m)
            b = SequenceAt(s, i)
        }""",
        domains=', "own" : 1',
    )
    inner = model.functions[0]
    inner.node.insert(0, onnx.helper.make_node("Constant", [], ["i"], value_int=0))
    element = onnx.helper.make_tensor_type_proto(10, [3])
    sequence = onnx.helper.make_sequence_type_proto(element)
    inner.value_info.append(onnx.helper.make_value_info("s", sequence))
    converted, _ = to_float32(model)
    kind = converted.functions[0].value_info[0].type.sequence_type.elem_type
    assert kind.tensor_type.elem_type == 1
    assert run(converted, {"x": np.ones(3, np.float32)})["y"].tolist() == [3.0, 3.0, 3.0]
