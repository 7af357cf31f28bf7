import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from mobileq.graph.rewrites.engine import apply_rules, unmatched
from mobileq.graph.rewrites.recurrent_steps import RULE, write
from mobileq.graph.rewrites.rule import Rule
from mobileq.graph.shapes import infer_shapes
from mobileq.graph.trial_run import run

STEPS, BATCH, SIZE, HIDDEN = 3, 2, 4, 5
ALWAYS = Rule("recurrent_steps", RULE.ops, write)
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def model(op, direction="forward", *, starts=True, peepholes=False, **attributes):
    """Gives all outputs."""
    draw = np.random.default_rng(4)
    sides, rows = 2 if direction == "bidirectional" else 1, GATES[op] * HIDDEN
    constants = {
        "w": (sides, rows, SIZE), "r": (sides, rows, HIDDEN), "b": (sides, 2 * rows),
    }  # fmt: skip
    given = ["x", "w", "r", "b"]
    if starts:
        constants["h"] = (sides, BATCH, HIDDEN)
        given += ["", "h"]
        if op == "LSTM":
            constants["c"] = (sides, BATCH, HIDDEN)
            given.append("c")
    if peepholes:
        constants["p"] = (sides, 3 * HIDDEN)
        given += [""] * (7 - len(given)) + ["p"]
    shapes = {"y": [STEPS, sides, BATCH, HIDDEN], "y_h": [sides, BATCH, HIDDEN]}
    if op == "LSTM":
        shapes["y_c"] = shapes["y_h"]
    node = helper.make_node(
        op, given, list(shapes), hidden_size=HIDDEN, direction=direction, **attributes
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "m", [value("x", 1, [STEPS, BATCH, SIZE])],
        [value(name, 1, shape) for name, shape in shapes.items()],
        [numpy_helper.from_array(draw.normal(0, 0.7, shape).astype(np.float32), name)
         for name, shape in constants.items()],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return infer_shapes(made)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(
    ("op", "given"),
    [
        ("RNN", {}),
        ("GRU", {}),
        ("GRU", {"linear_before_reset": 1}),
        ("GRU", {"starts": False}),
        ("LSTM", {}),
        ("LSTM", {"peepholes": True}),
        ("LSTM", {"peepholes": True, "starts": False}),
    ],
)
def test_every_step_is_written_out(op, given, direction):
    before = model(op, direction, **given)
    after = apply_rules(before, [ALWAYS])
    onnx.checker.check_model(after, full_check=True)
    assert op not in {node.op_type for node in after.graph.node}
    feeds = {"x": np.random.default_rng(6).normal(size=(STEPS, BATCH, SIZE)).astype(np.float32)}
    found = run(after, feeds)
    for name, wanted in run(before, feeds).items():
        np.testing.assert_allclose(found[name], wanted, atol=1e-6)


def test_lstm_without_peepholes_stays():
    before = model("LSTM")
    assert apply_rules(before, [RULE]) is before
    assert list(unmatched(before, [RULE]).values()) == ["converters know it"]
