"""A padding that a convolution and others have is done once."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto

from mobileq.graph.shared_pads import share_pads

from .builders import model_of
from .gradients.finite_differences import outputs_of, session

CONV = "c = Conv<pads = [0,0,1,1]>(x, w)"
PAD = "p = Pad(x, pads, zero) m = MaxPool<kernel_shape = [2,2]>(p)"


def model(
    body: str, pads: tuple[int, ...] = (0, 0, 0, 0, 0, 0, 1, 1), zero: float = 0
) -> ModelProto:
    weights = np.random.default_rng(0).normal(0, 1, (3, 2, 2, 2)).astype(np.float32)
    constants = {"w": weights, "pads": np.array(pads), "zero": np.float32(zero)}
    text = f"g (float[1,2,5,6] x) => (float[1,3,5,6] c, float[1,2,?,?] m) {{ {body} }}"
    return model_of(text, constants)


@pytest.mark.parametrize("body", [f"{PAD} {CONV}", f"{CONV} {PAD}"])
def test_convolution_reads_the_padding_that_is_there(body: str) -> None:
    given = model(body)
    shared = share_pads(given)
    # Positive: ONNX Runtime (1.26) makes zeros in front of a max pooling its own, which are none.
    x = {"x": np.random.default_rng(1).uniform(0, 1, (1, 2, 5, 6)).astype(np.float32)}
    before, after = (outputs_of(session(each), x) for each in (given, shared))
    for name, wanted in before.items():
        np.testing.assert_allclose(after[name], wanted, atol=1e-6)
    (conv,) = (node for node in shared.graph.node if node.op_type == "Conv")
    assert conv.input[0] == "p"
    assert [node.op_type for node in shared.graph.node].count("Pad") == 1


@pytest.mark.parametrize(
    ("body", "pads", "zero"),
    [
        (f"{PAD} {CONV}", (0, 0, 1, 1, 0, 0, 0, 0), 0),
        (f"{PAD} {CONV}", (0, 0, 0, 0, 0, 0, 1, 1), 1),
        (f"{PAD} {CONV}".replace("zero)", "zero) ").replace("Pad(", 'Pad<mode = "edge">('),
         (0, 0, 0, 0, 0, 0, 1, 1), 0),
        (f"{PAD} c = Conv<pads = [1,1,1,1]>(x, w)", (0, 0, 0, 0, 0, 0, 1, 1), 0),
        (f"m = Identity(x) {CONV}", (), 0),
    ],
)  # fmt: skip
def test_other_paddings_are_left(body: str, pads: tuple[int, ...], zero: float) -> None:
    given = model(body, pads, zero)
    assert share_pads(given) is given


def test_what_names_no_first_output_stays() -> None:
    """A recurrent op that gives its last state alone; and a second Pad that does the same."""
    body = f"{CONV} {PAD} q = Pad(x, pads, zero) n = Neg(q)"
    given = model(body)
    for _ in range(2):
        node = given.graph.node.add(op_type="GRU", input=["a", "b", "c"], output=["", "h"])
    shared = share_pads(given)
    kinds = [each.op_type for each in shared.graph.node]
    assert kinds.count(node.op_type) == 2
    assert kinds.count("Pad") == 2
