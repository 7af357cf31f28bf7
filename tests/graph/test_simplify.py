from __future__ import annotations

import logging

import numpy as np
import onnx
import pytest

from mobileq.errors import InputError
from mobileq.graph.outline import dims, op_counts
from mobileq.graph.simplify import simplify
from mobileq.graph.trial_run import random_inputs, run

from .builders import conv_weights, ints, model_of, small_model


def reshaping_model() -> onnx.ModelProto:
    """Reshapes by a shape that is computed: constants once the input's shape is fixed."""
    return model_of(
        """g (float[1,3,8,8] x) => (float[a,b] z, float[c,d,e,f] y) {
            y = Conv(x, w)
            s = Shape(y)
            n = Gather(s, one)
            m = Unsqueeze(n, zero)
            t = Concat<axis = 0>(m, rest)
            z = Reshape(y, t)
        }""",
        {"w": conv_weights(4), "one": np.array(1, np.int64), "zero": ints(0), "rest": ints(-1)},
    )


def test_shape_computations_are_folded_and_outputs_are_static() -> None:
    simplified, notices = simplify(reshaping_model())
    assert notices == ()
    assert "Shape" not in op_counts(simplified)
    assert [dims(value) for value in simplified.graph.output] == [(4, 64), (1, 4, 8, 8)]


def test_names_and_order_of_inputs_and_outputs_stay() -> None:
    simplified, _ = simplify(reshaping_model())
    assert [value.name for value in simplified.graph.input] == ["x"]
    assert [value.name for value in simplified.graph.output] == ["z", "y"]


def test_node_without_a_name_gets_one_of_its_own() -> None:
    model = model_of(
        """g (float[1,3,8,8] x) => (float[1,4,8,8] y, float[1,4,8,8] z, float[1,4,8,8] v) {
            c = Conv(x, w)
            y = Sigmoid(c)
            z = Tanh(c)
            v = Neg(c)
        }""",
        {"w": conv_weights(4)},
    )
    model.graph.node[1].name = "Tanh_z"
    names = [node.name for node in simplify(model)[0].graph.node]
    assert names == ["Conv_c", "Tanh_z", "Tanh_z_1", "Neg_v"]


def test_results_stay() -> None:
    model = reshaping_model()
    simplified, _ = simplify(model)
    inputs = random_inputs(model, 5)
    np.testing.assert_allclose(run(simplified, inputs)["z"], run(model, inputs)["z"], rtol=1e-5)


def test_unused_input_keeps_the_model_callable() -> None:
    model = model_of(
        "g (float[3] x, float[2] unused) => (float[3] y) { i = Identity(x)\n y = Relu(i) }"
    )
    simplified, _ = simplify(model)
    assert [value.name for value in simplified.graph.input] == ["x", "unused"]


def test_metadata_and_exporter_stay() -> None:
    model = small_model(metadata={"names": "{0: 'a'}"})
    model.producer_name = "pytorch"
    simplified, _ = simplify(model)
    assert simplified.producer_name == "pytorch"
    assert simplified.metadata_props == model.metadata_props


def test_model_given_is_not_changed() -> None:
    model = reshaping_model()
    before = model.SerializeToString()
    simplify(model)
    assert model.SerializeToString() == before


def test_nothing_is_printed_and_no_log_handler_is_left(capfd: pytest.CaptureFixture[str]) -> None:
    simplify(reshaping_model())
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("onnxslim").handlers == []


def changed(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def test_simplified_model_that_differs_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def slim(model: onnx.ModelProto) -> onnx.ModelProto:
        wrong = changed(model)
        array = onnx.numpy_helper.to_array(wrong.graph.initializer[0]) + np.float32(0.01)
        wrong.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(array, "w"))
        return wrong

    monkeypatch.setattr("onnxslim.slim", slim)
    model = small_model()
    result, notices = simplify(model)
    assert result.graph.initializer == model.graph.initializer
    assert ["'y' would differ by" in notice for notice in notices] == [True]


def test_simplified_model_with_renamed_output_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def slim(model: onnx.ModelProto) -> onnx.ModelProto:
        wrong = changed(model)
        wrong.graph.output[0].name = wrong.graph.node[-1].output[0] = "z"
        return wrong

    monkeypatch.setattr("onnxslim.slim", slim)
    result, notices = simplify(small_model())
    assert result.graph.output[0].name == "y"
    assert notices == ("The graph was not simplified: the outputs would be z.",)


@pytest.mark.parametrize("outcome", ["raises", "nothing", "broken"])
def test_failing_simplifier_leaves_the_model_as_it_is(
    monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    def slim(model: onnx.ModelProto) -> onnx.ModelProto | None:
        if outcome == "raises":
            raise IndexError("list index out of range")
        if outcome == "nothing":
            return None
        broken = changed(model)
        broken.graph.node[0].op_type = "NoSuchOperator"
        return broken

    monkeypatch.setattr("onnxslim.slim", slim)
    model = small_model()
    result, notices = simplify(model, rewrite=False)
    for node in result.graph.node:
        node.ClearField("name")
    assert result.graph.node == model.graph.node
    assert [notice.startswith("The graph was not simplified: ") for notice in notices] == [True]


def test_declared_output_shape_that_a_run_disproves_is_opened() -> None:
    model = model_of("g (float[8] x) => (int64[1,99] y) { y = NonZero(x) }")
    simplified, notices = simplify(model)
    assert dims(simplified.graph.output[0]) == (1, -1)
    assert ["[1, 99] as declared" in notice for notice in notices] == [True]


def test_missing_output_shape_is_inferred() -> None:
    model = small_model()
    model.graph.output[0].type.tensor_type.ClearField("shape")
    simplified, _ = simplify(model)
    assert dims(simplified.graph.output[0]) == (1, 4, 8, 8)


def test_model_that_does_not_run_is_an_input_error(capfd: pytest.CaptureFixture[str]) -> None:
    model = model_of(
        "g (float[1,3,8,8] x) => (float[1,2] y) { y = Reshape(x, s) }", {"s": ints(5, 5)}
    )
    with pytest.raises(InputError, match="ONNX Runtime cannot run the model"):
        simplify(model)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("declared", ["float[8,1,1]", "float[8]", None])
def test_output_rank_that_only_a_run_shows_is_taken_from_it(declared: str | None) -> None:
    """Compress keeps as many numbers of a shape as the data says: no inference can know."""
    model = model_of(
        f"""g (float[8] x) => ({declared or "float[8]"} y) {{
            m = Greater(x, low)
            s = Compress(sizes, m)
            y = Reshape(x, s)
        }}""",
        {"low": np.array(-1, np.float32), "sizes": ints(2, 2, 2, 1, 1, 1, 1, 1)},
    )
    if declared is None:
        model.graph.output[0].type.tensor_type.ClearField("shape")
    simplified, notices = simplify(model)
    assert dims(simplified.graph.output[0]) == (-1,) * 8
    assert bool(notices) == (declared is not None)


@pytest.mark.parametrize("change", ["shape", "integers"])
def test_simplified_model_of_other_shape_or_integers_is_not_used(
    monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    model = model_of(
        "g (float[4] x) => (int64[1,4] y) { y = NonZero(k) }", {"k": np.ones(4, np.float32)}
    )

    def slim(model: onnx.ModelProto) -> onnx.ModelProto:
        wrong = changed(model)
        values = np.array([1, 1, 1] if change == "shape" else [0, 1, 1, 1, 1], np.float32)
        wrong.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(values, "k"))
        return wrong

    monkeypatch.setattr("onnxslim.slim", slim)
    _, notices = simplify(model)
    expected = "would be int64[1, 3]" if change == "shape" else "'y' would differ"
    assert [expected in notice for notice in notices] == [True]


def test_what_is_written_anew_and_differs_is_only_simplified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks(model: onnx.ModelProto) -> onnx.ModelProto:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        copy.graph.node[-1].op_type = "Add"
        return copy

    monkeypatch.setattr("mobileq.graph.simplify.weights_first", breaks)
    wanted, _ = simplify(small_model(), rewrite=False)
    assert simplify(small_model()) == (wanted, ())


def test_zeros_around_a_max_pooling_stay_zeros() -> None:
    """ONNX Runtime's Pad_Fusion takes them for no values."""
    model = model_of(
        """g (float[1,1,2,2] x) => (float[1,1,2,2] y) {
            p = Pad(x, pads)
            y = MaxPool<kernel_shape = [2, 2]>(p)
        }""",
        {"pads": ints(0, 0, 0, 0, 0, 0, 1, 1)},
    )
    found = run(model, {"x": np.full((1, 1, 2, 2), -1, np.float32)})["y"]
    assert found.ravel().tolist() == [-1, 0, 0, 0]


def test_simplified_model_that_differs_for_negative_numbers_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]>\n'
    right, wrong = (
        onnx.parser.parse_model(
            text + f"g (float[2,9] x) => (float[2,9] y) {{ y = Elu<alpha={alpha}>(x) }}"
        )
        for alpha in (2.0, 1.0)
    )
    monkeypatch.setattr("mobileq.graph.simplify.slim", lambda _: wrong)
    result, notices = simplify(right)
    assert result.graph.node[0].attribute[0].f == 2.0
    assert "The graph was not simplified" in notices[0]


def test_sigmoids_may_differ_by_as_much_as_onnx_runtimes_own_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PP-OCR's text detector gives such maps: of noise a sum in another order was too much."""

    def scores(body: str) -> onnx.ModelProto:
        numbers = {"floor": np.float32(-13), "one": np.float32(1)}
        text = f"g (float[1,3,8,8] x) => (float[1,3,8,8] y) {{ l = Add(x, floor) {body} }}"
        return model_of(text, numbers)

    given = scores("y = Sigmoid(l)")
    exact = scores("n = Neg(l) e = Exp(n) s = Add(e, one) y = Div(one, s)")
    monkeypatch.setattr("mobileq.graph.simplify.slim", lambda _: exact)
    result, notices = simplify(given)
    assert (op_counts(result).get("Exp"), notices) == (1, ())
    squared = scores("n = Neg(l) e = Exp(n) s = Add(e, one) d = Div(one, s) y = Mul(d, d)")
    monkeypatch.setattr("mobileq.graph.simplify.slim", lambda _: squared)
    result, (notice,) = simplify(given)
    assert (op_counts(result).get("Exp"), "'y' would differ by" in notice) == (None, True)
