import numpy as np
import pytest

from mobileq.errors import InputError, UsageError
from mobileq.graph.backward import backward
from mobileq.graph.shapes import inner_tensors
from tests.graph.builders import conv_weights, ints, model_of, nanodet, yolov5, yolov8, yolox
from tests.graph.gradients.finite_differences import (
    check_gradients,
    drawn,
    outputs_of,
    session,
    there_and_back,
)

TWO_READERS = "m (float[2,3] x) => (float[2,3] y) { s = Sigmoid(x) t = Tanh(s) y = Mul(s, t) }"


def shifted(model, names):
    """The model with an input of zeros that is added to each of these tensors."""
    from onnx import ModelProto, helper

    moved = ModelProto()
    moved.CopyFrom(model)
    shapes = {each.name: each.shape for each in inner_tensors(model)}
    del moved.graph.node[:]
    for node in model.graph.node:
        place = len(moved.graph.node)
        moved.graph.node.append(node)
        for at, name in enumerate(node.output):
            if name in names:
                moved.graph.node[place].output[at] = f"{name}/before"
                add = helper.make_node("Add", [f"{name}/before", f"{name}/shift"], [name])
                moved.graph.node.append(add)
                info = helper.make_tensor_value_info(f"{name}/shift", 1, shapes[name])
                moved.graph.input.append(info)
    return moved


@pytest.mark.parametrize("net", [yolov5, yolov8, yolox, nanodet])
def test_of_a_whole_net_inside_it(net):
    model = net()
    names = [each.name for each in inner_tensors(model)]
    way = backward(model, names)
    assert way.stopped == {}
    chosen = sorted(way.gradients)[::5]
    moved = shifted(model, chosen)
    feeds = {name: value * (name == "images") for name, value in drawn(moved).items()}
    check_gradients(moved, feeds, step=2e-3)
    # The same without the shifts.
    there, rng = session(model), np.random.default_rng(0)
    results = outputs_of(there, {"images": feeds["images"]})
    seeds = {
        way.seeds[name]: rng.normal(size=value.shape).astype(np.float32)
        for name, value in results.items()
    }
    found = there_and_back(way, {"images": feeds["images"]}, seeds)
    other = backward(moved, [f"{name}/shift" for name in chosen])
    again = there_and_back(
        other, feeds, {other.seeds[name]: seeds[way.seeds[name]] for name in results}
    )
    for name in chosen:
        told = found[way.gradients[name]]
        wanted = again[other.gradients[f"{name}/shift"]]
        np.testing.assert_allclose(told, wanted, rtol=1e-4, atol=1e-5 * abs(wanted).max())


def test_a_tensor_of_two_readers_has_the_sum():
    model = model_of(TWO_READERS)
    check_gradients(model, drawn(model))


@pytest.mark.parametrize("factors", ["x, s", "s, x"])
@pytest.mark.parametrize("rest", ["Identity(m)", "Mul(m, s)"])
def test_a_value_times_its_own_sigmoid(factors, rest):
    text = f"""m (float[2,3] x) => (float[2,3] y) {{
        s = Sigmoid(x) m = Mul({factors}) y = {rest} }}"""
    model = model_of(text)
    check_gradients(model, drawn(model))
    # Where the sigmoid's own is asked for, too.
    way = backward(model, ["x", "s"])
    values = drawn(model)["x"]
    found = there_and_back(way, {"x": values}, {way.seeds["y"]: np.ones_like(values)})
    gate = 1 / (1 + np.exp(-values))
    wanted = values if rest == "Identity(m)" else 2 * values * gate
    np.testing.assert_allclose(found[way.gradients["s"]], wanted, rtol=1e-5, atol=1e-6)
    alone = backward(model, ["x"])
    again = there_and_back(alone, {"x": values}, {alone.seeds["y"]: np.ones_like(values)})
    np.testing.assert_allclose(
        found[way.gradients["x"]], again[alone.gradients["x"]], rtol=1e-5, atol=1e-6
    )


def test_outputs_are_what_was_asked_for_and_what_the_way_back_takes():
    way = backward(model_of(TWO_READERS), ["s"])
    assert [value.name for value in way.there.graph.output] == ["y", "s", "t"]
    assert [value.name for value in way.there.graph.input] == ["x"]
    assert [value.name for value in way.back.graph.output] == [way.gradients["s"]]
    assert [value.name for value in way.back.graph.input] == [way.seeds["y"], "t", "s"]
    ones = np.ones((2, 3), np.float32)
    way = backward(model_of(TWO_READERS), ["s", "y"])
    found = there_and_back(way, {"x": ones}, {way.seeds["y"]: 2 * ones})
    assert found[way.gradients["y"]].tolist() == (2 * ones).tolist()
    assert found["s"].tolist() == pytest.approx(1 / (1 + np.exp(-ones)))


def test_a_constant_that_both_ways_read_is_in_both():
    text = "m (float[2,3] x) => (float[2,4] y) { s = Sigmoid(x) y = MatMul(s, w) }"
    way = backward(model_of(text, {"w": np.ones((3, 4), np.float32)}), ["s"])
    for model in (way.there, way.back):
        assert [each.name for each in model.graph.initializer] == ["w"]
    assert [value.name for value in way.back.graph.input] == [way.seeds["y"]]


def test_nothing_above_the_topmost_tensor_is_computed():
    text = """m (float[1,3,8,8] x) => (float[1,4,8,8] y) {
        c = Conv(x, w) s = Sigmoid(c) d = Conv(s, v) y = Tanh(d) }"""
    weights = {"w": conv_weights(4), "v": np.ones((4, 4, 1, 1), np.float32)}
    model = model_of(text, weights)
    assert [node.op_type for node in backward(model, ["s"]).back.graph.node].count("Conv") == 1
    assert [node.op_type for node in backward(model, ["y"]).back.graph.node] == ["Identity"]


def test_an_operator_without_a_rule_stops_all_before_it():
    text = """m (float[2,3] x) => (float[2,3] y, float[2,3] z) {
        a = Sigmoid(x) b = Floor(a) c = Tanh(b) y = Mul(c, c) z = Mul(a, c) }"""
    way = backward(model_of(text), ["x", "a", "b", "c"])
    assert way.stopped == {"x": "Floor", "a": "Floor"}
    assert set(way.gradients) == {"b", "c"}


def test_an_operator_of_another_domain_has_no_rule():
    text = """m (float[2,3] x) => (float[2,3] y) { a = other.Relu(x) y = Tanh(a) }"""
    model = model_of(text, domains=', "other" : 1')
    assert backward(model, ["x"]).stopped == {"x": "Relu"}


def test_integers_carry_no_gradient():
    text = """m (float[2,3] x) => (float[2,3] y, int64[2] best, int64[2] sizes) {
        s = Sigmoid(x) best = ArgMax<axis = 1, keepdims = 0>(s) sizes = Shape(s) y = Exp(s) }"""
    model = model_of(text)
    way = backward(model, ["x", "s"])
    assert way.stopped == {}
    assert set(way.seeds) == {"y"}


def test_a_tensor_that_only_integers_follow_has_none():
    text = """m (float[2,3] x) => (float[2,3] y, int64[2] best) {
        t = Tanh(x) best = ArgMax<axis = 1, keepdims = 0>(t) y = Exp(x) }"""
    way = backward(model_of(text), ["x", "t"])
    assert way.stopped == {"t": "ArgMax"}
    assert set(way.gradients) == {"x"}


def test_what_is_only_chosen_by_is_told_apart_from_what_nothing_reads():
    text = """m (float[1,5] x) => (float[1,5] y, int64[1,2] best) {
        t = Tanh(x) s = Sigmoid(t) v, best = TopK(s, k) y = Exp(x) }"""
    way = backward(model_of(text, {"k": ints(2)}), ["x", "t", "s", "v"])
    assert way.stopped == {"t": "TopK", "s": "TopK", "v": ""}


def test_an_input_that_a_rule_does_not_know_stops():
    text = """m (float[2,3] x, float[3] e) => (float[2,3] y) {
        a = Sigmoid(x) b = Sigmoid(e) y = Pow(a, b) }"""
    assert backward(model_of(text), ["x", "e"]).stopped == {"x": "Pow", "e": "Pow"}


def test_what_a_branch_takes_from_around_it_is_stopped():
    text = """m (float[2,3] x, bool c) => (float[2,3] y) {
        a = Sigmoid(x)
        y = If(c) <then_branch = t () => (float[2,3] p) { p = Tanh(a) },
                   else_branch = e () => (float[2,3] q) { q = Exp(a) }> }"""
    assert backward(model_of(text), ["x"]).stopped == {"x": "If"}


def test_before_opset_16_gathered_by_computed_indices_is_stopped():
    text = """m (float[4,3] x, int64[2] i) => (float[2,3] y) {
        j = Add(i, i) y = Gather(x, j) }"""
    assert backward(model_of(text, opset=15), ["x"]).stopped == {"x": "Gather"}


@pytest.mark.parametrize("opset", [7, 9])
def test_old_operators_are_raised(opset):
    text = """m (float[1,4] x) => (float[1,4] y) { a = Relu(x) b = Softmax(a) y = Mul(b, x) }"""
    model = model_of(text, opset=opset, ir_version=4)
    check_gradients(model, drawn(model, low=-2.03), step=1e-3)


def test_operators_that_cannot_be_raised_are_refused():
    text = "m (float[1,4] x) => (float[1,4] y) { a = Affine(x) y = Neg(a) }"
    with pytest.raises(InputError, match="opset 1 is too old"):
        backward(model_of(text, opset=1, ir_version=3), ["x"])


def test_a_tensor_that_is_not_there():
    with pytest.raises(UsageError, match="makes a tensor 'nothing'"):
        backward(model_of(TWO_READERS), ["nothing"])


def test_an_output_that_is_an_input_too():
    text = "m (float[2,3] x) => (float[2,3] y, float[2,3] x) { y = Mul(x, x) }"
    model = model_of(text)
    way = backward(model, ["x", "y"])
    ones = np.ones((2, 3), np.float32)
    seeds = {way.seeds["x"]: 5 * ones, way.seeds["y"]: ones}
    found = there_and_back(way, {"x": 3 * ones}, seeds)
    assert found[way.gradients["x"]].tolist() == (11 * ones).tolist()


def test_gradient_names_are_new():
    text = """m (float[2,3] x) => (float[2,3] y) {
        gradient = Sigmoid(x) y = Mul(gradient, x) }"""
    model = model_of(text.replace("gradient", '"gradient/mul_1"'))
    check_gradients(model, drawn(model))


def test_reshapes_of_an_inner_tensor():
    text = """m (float[2,3,4] x) => (float[6,4] y) {
        a = Tanh(x) b = Reshape(a, s) c = Identity(b) y = Mul(c, c) }"""
    model = model_of(text, {"s": ints(6, 4)})
    check_gradients(model, drawn(model))
