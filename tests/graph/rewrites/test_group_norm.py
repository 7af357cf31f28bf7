import pytest

from mobileq.graph.rewrites import rewritten_graph
from mobileq.graph.rewrites.group_norm import RULE
from tests.graph.rewrites.rewriting import ops, parsed, refusal, rewritten, signed

TEXT = (
    "m ({kind}[2,6,5,3] x) => ({kind}[2,6,5,3] y) <{kind}[{count}] s = {{{values}}},"
    " {kind}[{count}] b = {{{values}}}>"
    "{{ y = GroupNormalization<num_groups=3, epsilon=0.01>(x, s, b) }}"
)


@pytest.mark.parametrize(("opset", "count"), [(21, 6), (20, 3)])
def test_variance_is_of_distances_from_the_mean(opset: int, count: int) -> None:
    text = TEXT.format(kind="float", count=count, values=", ".join(map(str, range(count))))
    model = rewritten(RULE, text, signed(2, 6, 5, 3), opset=opset, atol=1e-5)
    kinds = [node.op_type for node in model.graph.node]
    assert (kinds.count("ReduceMean"), kinds.count("Sub")) == (2, 1)


def test_that_of_half_floats_is_the_standards_body() -> None:
    text = TEXT.format(kind="float16", count=6, values="1, 1, 1, 1, 1, 1")
    assert "float32" in refusal(RULE, text, opset=21)
    assert "GroupNormalization" not in ops(rewritten_graph(parsed(text, 21)))


def test_it_comes_before_the_standards_body() -> None:
    text = TEXT.format(kind="float", count=6, values="1, 1, 1, 1, 1, 1")
    kinds = [node.op_type for node in rewritten_graph(parsed(text, 21)).graph.node]
    assert kinds.count("Sub") == 1
