import pytest

from mobileq.graph.rewrites.col2im import RULE
from tests.graph.rewrites.rewriting import ops, rewritten, signed


@pytest.mark.parametrize(
    ("blocks", "attributes"),
    [
        (20, ""),
        (10, "<dilations=[1, 2]>"),
        (6, "<strides=[2, 2]>"),
        (42, "<pads=[1, 0, 1, 2]>"),
    ],
)
def test_blocks_are_added_up_where_they_lie(blocks, attributes):
    text = (
        f"m (float[2,18,{blocks}] x) => (float[2,3,6,6] y)"
        "<int64[2] image = {6, 6}, int64[2] block = {2, 3}>"
        f"{{ y = Col2Im{attributes}(x, image, block) }}"
    )
    assert ops(rewritten(RULE, text, signed(2, 18, blocks), opset=18)) == {
        "Reshape", "ConvTranspose",
    }  # fmt: skip
