from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper

from mobileq.errors import UsageError
from mobileq.graph.frontier import (
    behind_quantizers,
    between,
    cut_at,
    frontier,
    learnt_weights,
)
from mobileq.graph.outline import dims
from mobileq.graph.trial_run import random_inputs, run

from .builders import ints, model_of


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


def two_branches() -> ModelProto:
    """`a` is read by `b` and by an output; `c` ends the other branch; `spare` goes nowhere."""
    return model_of(
        """g (float[1,3,8,8] x) => (float[1,5,8,8] first, float[1,6,8,8] second,
                                    float[1,4,8,8] third) {
            c = Conv(x, w3)
            a = Conv(x, w1)
            spare = Conv(a, w4)
            unused = Relu(spare)
            r = Relu(a)
            b = Conv(r, w2)
            first = Sigmoid(b)
            second = Mul(c, k)
            third = Relu(a)
        }""",
        {
            "w1": weights(4, 3, 1, 1),
            "w2": weights(5, 4, 1, 1, seed=1),
            "w3": weights(6, 3, 1, 1, seed=2),
            "w4": weights(2, 4, 1, 1, seed=3),
            "k": np.array(3, np.float32),
        },
        metadata={"names": "{0: 'a'}"},
    )


def test_frontier_is_what_no_other_convolution_follows():
    assert frontier(two_branches()) == ("c", "b")


def test_frontier_of_some_outputs():
    assert frontier(two_branches(), ["first"]) == ("b",)
    assert frontier(two_branches(), ["third"]) == ("a",)


@pytest.mark.parametrize(
    ("last", "shapes", "found"),
    [
        ("z = ConvTranspose(c, v)", {"v": (4, 2, 1, 1)}, "z"),
        ("z = MatMul(c, v)", {"v": (8, 8)}, "z"),
        ("z = MatMul(v, c)", {"v": (8, 8)}, "z"),
        ("t = Transpose<perm = [0, 1, 3, 2]>(c)\nz = MatMul(c, t)", {}, "c"),
        ("f = Flatten(c)\nz = Gemm(f, v)", {"v": (256, 2)}, "z"),
        ("s = Softmax<axis = 1>(c)\nz = Conv(s, v)", {"v": (1, 4, 1, 1)}, "c"),
        ("s = Softmax<axis = 1>(c)\nz = Conv(s, v)", {"v": (2, 4, 1, 1)}, "z"),
        ("s = Softmax<axis = 3>(c)\nz = MatMul(s, v)", {"v": (8, 1)}, "c"),
        ("s = Softmax<axis = 3>(c)\nz = MatMul(s, v)", {"v": (8, 2)}, "z"),
        ("s = Softmax<axis = 1>(c)\nf = Flatten(s)\nz = Gemm(f, v)", {"v": (256, 1)}, "z"),
        ("s = Relu(c)\nz = Conv(s, v)", {"v": (1, 4, 1, 1)}, "z"),
    ],
)
def test_what_is_weighty(last: str, shapes: dict[str, tuple[int, ...]], found: str):
    arrays = {name: weights(*shape, seed=5) for name, shape in shapes.items()}
    model = model_of(
        f"g (float[1,3,8,8] x) => (float y) {{\nc = Conv(x, w)\n{last}\ny = Relu(z)\n}}",
        {"w": weights(4, 3, 1, 1), **arrays},
    )
    assert frontier(model) == (found,)


@pytest.mark.parametrize(
    ("taken", "shape", "learnt"),
    [("Softmax", (33, 1), False), ("Softmax", (33, 2), True), ("Relu", (33, 1), True)],
)
def test_the_mean_of_a_long_distribution_is_not_learnt(
    taken: str, shape: tuple[int, ...], learnt: bool
):
    model = model_of(
        f"""g (float[1,3,8,8] x) => (float y) {{
            c = Conv(x, w)
            rows = Reshape(c, bins)
            s = {taken}(rows)
            y = MatMul(s, v)
        }}""",
        {"w": weights(33, 3, 1, 1), "bins": ints(64, 33), "v": weights(*shape)},
    )
    assert (3 in learnt_weights(model.graph)) == learnt


def test_a_size_carries_no_values():
    model = model_of(
        """g (float[1,3,8,8] x) => (float y) {
            a = Conv(x, w)
            size = Shape(a)
            b = Conv(x, w)
            y = Reshape(b, size)
        }""",
        {"w": weights(4, 3, 1, 1)},
    )
    assert frontier(model) == ("b",)


def quantized() -> ModelProto:
    return model_of(
        """g (float[1,3,8,8] x) => (float[1,4,8,8] y) {
            w = DequantizeLinear<axis = 0>(q, scales, zeros)
            c = Conv(x, w)
            cq = QuantizeLinear(c, scale, zero)
            cd = DequantizeLinear(cq, scale, zero)
            y = Sigmoid(cd)
        }""",
        {
            "q": np.random.default_rng(0).integers(-127, 128, (4, 3, 1, 1)).astype(np.int8),
            "scales": np.array([0.1, 0.2, 0.3, 0.4], np.float32),
            "zeros": np.zeros(4, np.int8),
            "scale": np.array(0.5, np.float32),
            "zero": np.array(0, np.int8),
        },
    )


def test_quantized_weights_are_weights():
    model = quantized()
    assert frontier(model) == ("c",)
    assert behind_quantizers(model, ["c"]) == ("cd",)
    assert behind_quantizers(two_branches(), ["b", "c"]) == ("b", "c")


@pytest.mark.parametrize("axis", [0, None])
def test_quantized_bins_are_read_with_their_scales(axis: int | None):
    of_axis = "" if axis is None else f"<axis = {axis}>"
    scale = np.array(0.5, np.float32) if axis is None else np.array([0.5], np.float32)
    zero = np.array(2, np.int8) if axis is None else np.array([2], np.int8)
    model = model_of(
        f"""g (float[1,3,8,8] x) => (float y) {{
            w = DequantizeLinear{of_axis}(q, scale, zero)
            c = Conv(x, v)
            s = Softmax<axis = 1>(c)
            y = Conv(s, w)
        }}""",
        {
            "q": np.array([2, 4, 6, 9], np.int8).reshape(1, 4, 1, 1),
            "scale": scale,
            "zero": zero,
            "v": weights(4, 3, 1, 1),
        },
    )
    from mobileq.graph.index import GraphIndex

    index = GraphIndex(model)
    bins = index.expectation_weights(index.made_by["y"])
    assert bins is not None
    assert bins.tolist() == [0.0, 1.0, 2.0, 3.5]
    assert frontier(model) == ("c",)


def test_cut_keeps_what_is_needed_and_nothing_else():
    model = two_branches()
    before = model.SerializeToString()
    cut = cut_at(model, ["b", "c"])
    assert [(value.name, dims(value)) for value in cut.graph.output] == [
        ("b", (1, 5, 8, 8)), ("c", (1, 6, 8, 8)),
    ]  # fmt: skip
    assert [node.output[0] for node in cut.graph.node] == ["c", "a", "r", "b"]
    assert {tensor.name for tensor in cut.graph.initializer} == {"w1", "w2", "w3"}
    assert {value.name for value in cut.graph.value_info} == {"a", "r"}
    assert [(item.key, item.value) for item in cut.metadata_props] == [("names", "{0: 'a'}")]
    assert [value.name for value in cut.graph.input] == ["x"]
    onnx.checker.check_model(cut, full_check=True)
    assert model.SerializeToString() == before
    assert cut_at(model, ["b", "c"]).SerializeToString() == cut.SerializeToString()


def test_a_cut_model_and_the_rest_are_the_whole():
    model = two_branches()
    cut, tail = cut_at(model, ["c", "b"]), between(model, ["c", "b"], ["first", "second"])
    inputs = random_inputs(model, 3)
    whole = run(model, inputs)
    assert [value.name for value in tail.graph.input] == ["c", "b"]
    assert [node.op_type for node in tail.graph.node] == ["Sigmoid", "Mul"]
    parts = run(tail, run(cut, inputs))
    for name in ("first", "second"):
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-5, atol=1e-6)


def test_the_rest_reads_the_picture_where_it_must():
    tail = between(two_branches(), ["b"], ["first", "third"])
    assert [value.name for value in tail.graph.input] == ["x", "b"]


def test_an_output_may_be_cut_at():
    cut = cut_at(two_branches(), ["third"])
    assert [value.name for value in cut.graph.output] == ["third"]
    assert not cut.graph.value_info or [v.name for v in cut.graph.value_info] == ["a"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["nothing"], "'nothing'"),
        (["x"], "'x'"),
        (["w1"], "'w1'"),
        (["b", "b"], "only once"),
        ([], "must be named"),
    ],
)
def test_impossible_cuts(names: list[str], message: str):
    with pytest.raises(UsageError, match=message):
        cut_at(two_branches(), names)


def test_a_tensor_of_unknown_size_is_no_place_to_cut():
    model = model_of(
        """g (float[1,3,8,8] x) => (float y) {
            c = Conv(x, w)
            where = NonZero(c)
            y = Cast<to = 1>(where)
        }""",
        {"w": weights(4, 3, 1, 1)},
    )
    with pytest.raises(UsageError, match="'where' depends on the picture") as caught:
        cut_at(model, ["where"])
    assert "--head decoded" in caught.value.hint


def test_what_a_body_takes_from_around_it_is_kept():
    body = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["a"], ["inside"])],
        "body",
        [],
        [onnx.helper.make_tensor_value_info("inside", 1, (1, 4, 8, 8))],
    )
    other = onnx.GraphProto()
    other.CopyFrom(body)
    model = model_of(
        """g (float[1,3,8,8] x, bool yes) => (float[1,4,8,8] y) {
            a = Conv(x, w)
            b = Conv(x, w)
            y = Relu(b)
        }""",
        {"w": weights(4, 3, 1, 1)},
    )
    branch = onnx.helper.make_node("If", ["yes"], ["chosen"], then_branch=body, else_branch=other)
    model.graph.node.append(branch)
    model.graph.node.append(onnx.helper.make_node("Relu", ["chosen"], ["z"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("z", 1, (1, 4, 8, 8)))
    assert frontier(model) == ("a", "b")
    cut = cut_at(model, ["chosen"])
    assert [node.op_type for node in cut.graph.node] == ["Conv", "If"]
    fed = {"x": np.ones((1, 3, 8, 8), np.float32), "yes": np.array(True)}
    assert np.array_equal(run(cut, fed)["chosen"].clip(0), run(model, fed)["z"])


def test_sparse_weights_go_with_what_reads_them():
    model = two_branches()
    values = numpy_helper.from_array(np.array([1.0], np.float32), "sparse")
    places = numpy_helper.from_array(ints(0), "places")
    model.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, places, [4]))
    assert not cut_at(model, ["b"]).graph.sparse_initializer
