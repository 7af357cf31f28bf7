from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from mobileq.graph.outline import dims, op_counts
from mobileq.graph.slim import SlimError, slim

from .builders import ints, model_of


def folded() -> onnx.ModelProto:
    """A shape that is computed step by step, of an input whose shape is fixed."""
    return model_of(
        """g (float[2,3,4] x) => (float[a,b] y) {
            s = Shape(x)
            n = Gather(s, one)
            m = Add(n, n)
            t = Concat<axis = 0>(rest, m)
            y = Reshape(x, t)
        }""",
        {"one": ints(1), "rest": ints(-1)},
    )


def open_ended() -> onnx.ModelProto:
    """Nobody knows how many values are not zero; it is said twice."""
    return model_of(
        """g (float[4] x) => (int64[1,n] y, int64[1] z) {
            y = NonZero(x)
            s = Shape(y)
            d = Identity(s)
            z = Gather(d, one)
        }""",
        {"one": ints(1)},
    )


@pytest.mark.parametrize(("model", "nodes"), [("folded", 1), ("open_ended", 3)])
def test_shapes_are_reckoned_with_symbols_only_where_they_are_no_numbers(model: str, nodes: int):
    code = (
        "import sys; from mobileq.graph.slim import slim; from tests.graph import test_slim;"
        f"print(len(slim(test_slim.{model}()).graph.node), 'sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(nodes), str(model == "open_ended")]


def test_both_inferences_lead_to_the_same_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = slim(folded())
    from onnxslim.third_party.symbolic_shape_infer import SymbolicShapeInference

    asked: list[bool] = []

    class Theirs:
        @staticmethod
        def infer_shapes(model: onnx.ModelProto, **options: bool) -> onnx.ModelProto:
            asked.append(True)
            return SymbolicShapeInference.infer_shapes(model, **options)

    monkeypatch.setattr("onnxslim.core.SymbolicShapeInference", Theirs)
    assert slim(folded()).graph.node == ours.graph.node
    assert asked
    assert op_counts(ours) == {"Reshape": 1}


def test_a_model_that_onnxslim_does_not_take_is_an_error_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(model: onnx.ModelProto) -> None:
        raise KeyError("x")

    slim(folded())
    monkeypatch.setattr("onnxslim.slim", fails)
    with pytest.raises(SlimError, match="KeyError: 'x'"):
        slim(folded())


def test_a_model_with_a_graph_in_a_node_keeps_it() -> None:
    model = model_of(
        """g (float[2] x, bool c) => (float[2] y) {
            y = If(c) <
                then_branch = a () => (float[2] p) { p = Neg(x) },
                else_branch = b () => (float[2] q) { q = Abs(x) }
            >
        }""",
        {},
    )
    found = slim(model)
    assert op_counts(found) == {"If": 1, "Neg": 1, "Abs": 1}
    assert [dims(value) for value in found.graph.output] == [(2,)]


@pytest.mark.parametrize("pads", ["0,0,0,0", "1,1,0,0"])
@pytest.mark.parametrize(("other", "taken"), [("Relu(c)", "x"), ("Relu(p)", "p")])
def test_a_pad_that_others_read_stays_in_front_of_the_convolution(
    other: str, taken: str, pads: str
) -> None:
    """As in D-FINE's stem: behind one in the convolution onnx2tf turned the axes twice."""
    model = model_of(
        f"""g (float[1,3,8,8] x) => (float y, float z) {{
            p = Pad(x, around)
            c = Conv<pads = [{pads}]>(p, w)
            y = Sigmoid(c)
            z = {other}
        }}""",
        {"around": ints(0, 0, 0, 0, 0, 0, 1, 1), "w": np.ones((4, 3, 2, 2), np.float32)},
    )
    (conv,) = (node for node in slim(model).graph.node if node.op_type == "Conv")
    assert conv.input[0] == taken


def test_a_pad_stays_there_whoever_imported_onnxslim() -> None:
    """onnx2tf does as well, in the process that converts."""
    code = """if True:
        import onnxslim
        from tests.graph import test_slim
        test = test_slim.test_a_pad_that_others_read_stays_in_front_of_the_convolution
        test("Relu(p)", "p", "0,0,0,0")
    """
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=root, check=True)
