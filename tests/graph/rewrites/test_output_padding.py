import numpy as np
import pytest

from mobileq.graph.rewrites.output_padding import RULE
from tests.graph.rewrites.rewriting import ops, refusal, rewritten, signed

WEIGHTS = ", ".join(f"{value:.3f}" for value in np.linspace(-1, 1, 2 * 3 * 9))
TEXT = (
    "m (float[1,2,4,5] x) => (float[?,?,?,?] y)"
    f"<float[2,3,3,3] w = {{{WEIGHTS}}}, float[3] b = {{1, 2, -1}}>"
    "{{ y = ConvTranspose<strides=[3, 3], pads={pads}, output_padding=[2, 1]>(x, w{bias}) }}"
)


@pytest.mark.parametrize("bias", ["", ", b"])
@pytest.mark.parametrize("pads", ["[1, 1, 1, 1]", "[0, 0, 0, 0]"])
def test_zeros_lie_behind_the_last_window(pads, bias):
    model = rewritten(RULE, TEXT.replace("{{", "{").replace("}}", "}").replace("{pads}", pads)
                      .replace("{bias}", bias), signed(1, 2, 4, 5), atol=1e-5)  # fmt: skip
    assert "Pad" in ops(model)
    (node,) = (each for each in model.graph.node if each.op_type == "ConvTranspose")
    assert "output_padding" not in {item.name for item in node.attribute}


def test_pads_that_hold_it_stay():
    text = TEXT.replace("{{", "{").replace("}}", "}").replace("{bias}", "")
    assert refusal(RULE, text.replace("{pads}", "[2, 2, 2, 2]")) == "its pads hold it"
